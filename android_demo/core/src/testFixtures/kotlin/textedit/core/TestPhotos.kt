package textedit.core

import java.awt.image.BufferedImage
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.InputStream
import java.util.Random
import javax.imageio.IIOImage
import javax.imageio.ImageIO
import javax.imageio.ImageTypeSpecifier
import javax.imageio.ImageWriteParam
import javax.imageio.metadata.IIOMetadataNode
import kotlin.math.max

/** Pictures that anyone can compute, and the JVM's own JPEG encoder around them. */
object TestPhotos {
    /** Random colours on a grid of 16 pixels a side, smoothly enlarged. */
    fun smooth(width: Int, height: Int, seed: Long): PixelImage {
        val random = Random(seed)
        return PixelImage(16, 16, IntArray(256) { random.nextInt() or (0xFF shl 24) }).resized(width, height)
    }

    /** Five points of an upright face whose eyes are [distance] apart, the left one at ([x], [y]). */
    fun face(x: Double, y: Double, distance: Double) = Landmarks(
        Point(x, y), Point(x + distance, y), Point(x + distance / 2, y + distance / 2),
        Point(x + distance / 5, y + distance), Point(x + distance * 4 / 5, y + distance),
    )

    /** A crop of [side] around a point, turned by [radians]. */
    fun crop(x: Double, y: Double, side: Double, radians: Double = 0.0): CropTransform {
        val axis = Point(side * kotlin.math.cos(radians), side * kotlin.math.sin(radians))
        return CropTransform(Point(x, y) - axis * 0.5 - axis.turned() * 0.5, axis)
    }

    /** A JPEG with halved colour components, and [segments] (marker and content) after its first ones. */
    fun jpeg(picture: PixelImage, segments: List<Pair<Int, ByteArray>> = emptyList(), progressive: Boolean = false): ByteArray {
        val image = BufferedImage(picture.width, picture.height, BufferedImage.TYPE_INT_RGB)
        image.setRGB(0, 0, picture.width, picture.height, picture.argb, 0, picture.width)
        val writer = ImageIO.getImageWritersByFormatName("jpeg").next()
        val settings = writer.defaultWriteParam.apply {
            compressionMode = ImageWriteParam.MODE_EXPLICIT
            compressionQuality = 0.92f
            if (progressive) progressiveMode = ImageWriteParam.MODE_DEFAULT
        }
        val metadata = writer.getDefaultImageMetadata(ImageTypeSpecifier(image), settings)
        val root = metadata.getAsTree(FORMAT) as IIOMetadataNode
        val sequence = root.getElementsByTagName("markerSequence").item(0) as IIOMetadataNode
        for ((marker, content) in segments) sequence.insertBefore(unknown(marker, content), sequence.firstChild)
        metadata.setFromTree(FORMAT, root)
        val bytes = ByteArrayOutputStream()
        ImageIO.createImageOutputStream(bytes).use {
            writer.output = it
            writer.write(null, IIOImage(image, null, metadata), settings)
        }
        return bytes.toByteArray()
    }

    fun decoded(jpeg: ByteArray): PixelImage =
        ImageIO.read(ByteArrayInputStream(jpeg)).run { PixelImage(width, height, getRGB(0, 0, width, height, null, 0, width)) }

    private fun unknown(marker: Int, content: ByteArray) = IIOMetadataNode("unknown").apply {
        setAttribute("MarkerTag", marker.toString())
        userObject = content
    }

    private const val FORMAT = "javax_imageio_jpeg_image_1.0"
}

/** A photo in memory: [file] is what [open] gives, [picture] what it shows. */
class MemoryPhoto(val picture: PixelImage, private val file: ByteArray = ByteArray(0)) : PhotoSource {
    override val width get() = picture.width
    override val height get() = picture.height

    override fun pixels(part: PhotoPart, longerSide: Int): PixelImage {
        val shrink = minOf(1.0, longerSide.toDouble() / max(part.width, part.height))
        val (width, height) = listOf(part.width, part.height).map { max(1, Math.round(it * shrink).toInt()) }
        return picture.resized(width, height, Box(part.left, part.top, part.right, part.bottom))
    }

    override fun open(): InputStream = ByteArrayInputStream(file)

    /** Writes raw pixels, a tile of 64 rows after the other. */
    override fun encode(target: File, changed: (PhotoPart, PixelImage) -> PixelImage): Set<Loss> {
        target.outputStream().buffered().use { output ->
            for (top in 0 until height step 64) {
                val part = PhotoPart(0, top, width, minOf(height, top + 64))
                changed(part, pixels(part, Int.MAX_VALUE)).argb.forEach { pixel -> listOf(16, 8, 0).forEach { output.write(pixel shr it) } }
            }
        }
        return setOf(Loss.FORMAT)
    }
}

package textedit.demo

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ColorSpace
import android.graphics.ImageDecoder
import android.graphics.Matrix
import android.graphics.Rect
import android.net.Uri
import android.os.Build
import androidx.annotation.RequiresApi
import androidx.exifinterface.media.ExifInterface
import java.io.File
import java.io.IOException
import java.io.InputStream
import kotlin.math.max
import kotlin.math.min
import kotlin.math.roundToInt
import textedit.core.Loss
import textedit.core.PhotoPart
import textedit.core.PhotoSource
import textedit.core.PixelImage

/**
 * A photo of the album or of a document, read by the system's decoders.
 *
 * @throws IOException it cannot be read or is no picture.
 */
class AndroidPhoto(private val resolver: ContentResolver, private val uri: Uri) : PhotoSource {
    private val exif = this.open().use(::ExifInterface)
    private val stored = BitmapFactory.Options().apply { inJustDecodeBounds = true }
    private val lying = exif.rotationDegrees % 180 != 0
    override val width: Int
    override val height: Int

    init {
        this.open().use { BitmapFactory.decodeStream(it, null, stored) }
        if (stored.outWidth <= 0 || stored.outHeight <= 0) throw IOException("$uri is not a picture")
        width = if (lying) stored.outHeight else stored.outWidth
        height = if (lying) stored.outWidth else stored.outHeight
    }

    override fun open(): InputStream = resolver.openInputStream(uri) ?: throw IOException("$uri cannot be opened")

    override fun pixels(part: PhotoPart, longerSide: Int): PixelImage {
        val scale = min(1.0, longerSide.toDouble() / max(part.width, part.height))
        val bitmap = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) decode(part, scale) else decodeBeforePie(part, scale)
        return bitmap.overWhite().toPixelImage()
    }

    override fun encode(target: File, changed: (PhotoPart, PixelImage) -> PixelImage): Set<Loss> {
        val bitmap = wholeBitmap()
        for (top in 0 until bitmap.height step STRIP) {
            val part = PhotoPart(0, top, bitmap.width, min(bitmap.height, top + STRIP))
            val pixels = IntArray(part.width * part.height)
            bitmap.getPixels(pixels, 0, part.width, 0, part.top, part.width, part.height)
            val after = changed(part, PixelImage(part.width, part.height, pixels)).argb
            bitmap.setPixels(after, 0, part.width, 0, part.top, part.width, part.height)
        }
        target.outputStream().use { output ->
            if (!bitmap.compress(Bitmap.CompressFormat.JPEG, JPEG_QUALITY, output)) throw IOException("the picture cannot be written")
        }
        copyExif(target)
        return losses(bitmap)
    }

    @RequiresApi(Build.VERSION_CODES.P)
    private fun decode(part: PhotoPart, scale: Double): Bitmap {
        val source = ImageDecoder.createSource(resolver, uri)
        return ImageDecoder.decodeBitmap(source) { decoder, _, _ ->
            // This decoder's picture is upright, and its crop is one of the picture in its new size.
            val (wide, high) = max(1, (width * scale).roundToInt()) to max(1, (height * scale).roundToInt())
            decoder.setTargetSize(wide, high)
            decoder.crop = part.scaledRect(scale, wide, high)
            decoder.setTargetColorSpace(ColorSpace.get(ColorSpace.Named.SRGB))
            // Pixels are read back, which a hardware bitmap does not allow.
            decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
        }
    }

    private fun decodeBeforePie(part: PhotoPart, scale: Double): Bitmap {
        val options = BitmapFactory.Options().apply {
            inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
            inSampleSize = generateSequence(1) { it * 2 }.last { it * scale <= 1 || it == 1 }
        }
        val upright = uprightBitmap(options)
        val reached = upright.width.toDouble() / width
        val crop = part.scaledRect(reached, upright.width, upright.height)
        val bitmap = Bitmap.createBitmap(upright, crop.left, crop.top, crop.width(), crop.height())
        val (wide, high) = max(1, (part.width * scale).roundToInt()) to max(1, (part.height * scale).roundToInt())
        return Bitmap.createScaledBitmap(bitmap, wide, high, true)
    }

    private fun uprightBitmap(options: BitmapFactory.Options): Bitmap {
        val bitmap = this.open().use { BitmapFactory.decodeStream(it, null, options) } ?: throw IOException("$uri is not a picture")
        val turn = Matrix().apply {
            if (exif.isFlipped) postScale(-1f, 1f)
            postRotate(exif.rotationDegrees.toFloat())
        }
        return Bitmap.createBitmap(bitmap, 0, 0, bitmap.width, bitmap.height, turn, true)
    }

    /** The photo at full size, to be written to. */
    private fun wholeBitmap(): Bitmap {
        val all = PhotoPart(0, 0, width, height)
        val bitmap = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) decode(all, 1.0) else decodeBeforePie(all, 1.0)
        val opaque = bitmap.overWhite()
        return if (opaque.isMutable) opaque else opaque.copy(Bitmap.Config.ARGB_8888, true)
    }

    /** The new picture is upright, and its small picture would show the old face. */
    private fun copyExif(target: File) {
        ExifInterface(target).apply {
            for (tag in KEPT_TAGS) exif.getAttribute(tag)?.let { setAttribute(tag, it) }
            setAttribute(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL.toString())
            saveAttributes()
        }
    }

    private fun losses(bitmap: Bitmap): Set<Loss> = buildSet {
        add(Loss.COMPRESSED_AGAIN)
        if (stored.outMimeType != "image/jpeg") add(Loss.FORMAT)
        if (stored.outColorSpace?.isSrgb == false) add(Loss.WIDE_COLOUR)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.UPSIDE_DOWN_CAKE && bitmap.hasGainmap()) add(Loss.GAIN_MAP)
    }

    private companion object {
        const val STRIP = 256
        const val JPEG_QUALITY = 95

        /** Date, place, camera and lens. */
        val KEPT_TAGS = listOf(
            ExifInterface.TAG_DATETIME, ExifInterface.TAG_DATETIME_ORIGINAL, ExifInterface.TAG_DATETIME_DIGITIZED,
            ExifInterface.TAG_OFFSET_TIME, ExifInterface.TAG_OFFSET_TIME_ORIGINAL, ExifInterface.TAG_SUBSEC_TIME_ORIGINAL,
            ExifInterface.TAG_GPS_LATITUDE, ExifInterface.TAG_GPS_LATITUDE_REF, ExifInterface.TAG_GPS_LONGITUDE,
            ExifInterface.TAG_GPS_LONGITUDE_REF, ExifInterface.TAG_GPS_ALTITUDE, ExifInterface.TAG_GPS_ALTITUDE_REF,
            ExifInterface.TAG_GPS_DATESTAMP, ExifInterface.TAG_GPS_TIMESTAMP, ExifInterface.TAG_MAKE, ExifInterface.TAG_MODEL,
            ExifInterface.TAG_LENS_MAKE, ExifInterface.TAG_LENS_MODEL, ExifInterface.TAG_FOCAL_LENGTH, ExifInterface.TAG_F_NUMBER,
            ExifInterface.TAG_EXPOSURE_TIME, ExifInterface.TAG_PHOTOGRAPHIC_SENSITIVITY, ExifInterface.TAG_FLASH,
            ExifInterface.TAG_IMAGE_DESCRIPTION, ExifInterface.TAG_ARTIST, ExifInterface.TAG_COPYRIGHT, ExifInterface.TAG_USER_COMMENT,
        )
    }
}

private fun PhotoPart.scaledRect(scale: Double, wide: Int, high: Int): Rect {
    val (left, top) = (left * scale).toInt().coerceIn(0, wide - 1) to (top * scale).toInt().coerceIn(0, high - 1)
    val (right, bottom) = (right * scale).roundToInt().coerceIn(left + 1, wide) to (bottom * scale).roundToInt().coerceIn(top + 1, high)
    return Rect(left, top, right, bottom)
}

package textedit.core

/** What an edit does to a photo at full size. */
internal interface FaceChange {
    /** Pixels of a [part] of the photo as they are after the edit; a new picture. */
    fun onto(part: PhotoPart, pixels: PixelImage): PixelImage

    /**
     * The same in the stored pixels of a JPEG.
     *
     * @param toUpright from stored to upright pixels.
     */
    fun inJpeg(toUpright: Affine, samplings: List<Sampling>): JpegChange
}

/** An edited face at its place in the photo. [reconstruction] as in [pasteBack]. */
internal class PastedFace(val crop: CropTransform, val edited: PixelImage, val reconstruction: PixelImage?) : FaceChange {
    override fun onto(part: PhotoPart, pixels: PixelImage): PixelImage =
        pasteBack(pixels, edited, crop.from(part.left, part.top), reconstruction)

    override fun inJpeg(toUpright: Affine, samplings: List<Sampling>): JpegChange = PastedJpeg(this, toUpright, samplings)
}

/**
 * An edit drawn on the photo itself.
 *
 * @param held the part of the photo that [overlay] needs; nothing else of the photo is kept in memory.
 * @param pixels those of [held] at full size.
 * @param crop where the face lies in the whole photo.
 */
internal class DrawnFace(private val held: PhotoPart, private val pixels: PixelImage, overlay: Overlay, crop: CropTransform) : FaceChange {
    private val composition = Composition(pixels, overlay, crop.from(held.left, held.top))

    init {
        require(pixels.width == held.width && pixels.height == held.height) { "$held was read as ${pixels.width} x ${pixels.height} pixels" }
    }

    /** The pixels of the whole photo that may change. */
    val changed: PhotoPart = composition.box.run { PhotoPart(left + held.left, top + held.top, right + held.left, bottom + held.top) }

    /** The photo's own pixels of a [part] that lies in [changed]. */
    fun before(part: PhotoPart): PixelImage =
        pixels.cropped(Box(part.left - held.left, part.top - held.top, part.right - held.left, part.bottom - held.top))

    override fun onto(part: PhotoPart, pixels: PixelImage): PixelImage {
        val result = pixels.copy()
        val (left, top) = part.left - held.left to part.top - held.top
        composition.draw(Box(left, top, left + part.width, top + part.height), result, left, top)
        return result
    }

    override fun inJpeg(toUpright: Affine, samplings: List<Sampling>): JpegChange = DrawnJpeg(this, toUpright, samplings)
}

/** The same crop in a photo whose pixel (0, 0) is this one's ([x], [y]). */
internal fun CropTransform.from(x: Int, y: Int) = CropTransform(origin - Point(x.toDouble(), y.toDouble()), axis)

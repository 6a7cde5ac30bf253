package textedit.core

import kotlin.math.max
import kotlin.math.min

/**
 * Puts edited faces into one picture, again and again: what depends on the picture and its face alone is computed once.
 *
 * The result is that of [pasteBack] to about one level of 255.
 *
 * @param picture the photo at the size of the screen.
 * @param transform where the face's crop lies in [picture].
 * @param reconstruction the face as the networks see it, unedited.
 */
internal class FacePasting(
    private val picture: PixelImage,
    private val transform: CropTransform,
    reconstruction: PixelImage,
    private val rows: RowPool,
) {
    private val box = Bounds.of(transform, context = 0.0).clippedTo(picture)
    private val unedited = reconstruction.notLargerThan(transform.side)
    private val fine = if (transform.side > FINE_FROM * unedited.width) FineSquare(unedited.width) else null
    private val warp = CubicWarp(unedited.width, transform.toCropPixels(unedited.width))

    /** [picture] with [face] in it, or with the change from the reconstruction to [face] where [keepDetail] asks for that. */
    fun paste(face: PixelImage, keepDetail: Boolean): PixelImage {
        val result = picture.copy()
        if (box.isEmpty) return result
        val square = square(face.notLargerThan(transform.side), keepDetail)
        // The photo's own level counts where a change is added to it.
        val kept = if (keepDetail) 0xFFFFFF else 0
        rows.forEachBand(box.height) { from, until ->
            for (y in box.top + from until box.top + until) {
                // One call for each kind, so that each is compiled by itself.
                when (square) {
                    is PackedSquare -> pasteRow(square, kept, y, result.argb)
                    is FineSquare -> pasteFineRow(square, kept, y, result.argb)
                }
            }
        }
        return result
    }

    private fun square(face: PixelImage, keepDetail: Boolean): SampledSquare {
        val values = if (keepDetail) difference(face, unedited) else channels(face)
        val square = PackedSquare(face.width, values)
        return fine?.also { it.set(square, rows) } ?: square
    }

    private fun pasteRow(square: PackedSquare, kept: Int, y: Int, target: IntArray) {
        val start = y * picture.width
        warp.forEach(warp.columns(y, picture.width), y, square::at) { x, sum, opacity ->
            target[start + x] = blended(target[start + x], kept, sum, opacity)
        }
    }

    private fun pasteFineRow(square: FineSquare, kept: Int, y: Int, target: IntArray) {
        val start = y * picture.width
        warp.forEach(warp.columns(y, picture.width), y, square::at) { x, sum, opacity ->
            target[start + x] = blended(target[start + x], kept, sum, opacity)
        }
    }

    private companion object {
        // Below, enlarging the whole square costs more than it spares.
        const val FINE_FROM = 2
        const val HALF = 1 shl (OPACITY_BITS - 1)
        const val OPAQUE = 1 shl OPACITY_BITS

        fun blended(photo: Int, kept: Int, sum: Long, opacity: Int): Int {
            if (opacity == OPAQUE) {
                val result = added(photo and kept, sum)
                if (result != 0) return result
            }
            return opaque(
                blended(photo.red, kept.red, lane(sum, 2), opacity),
                blended(photo.green, kept.green, lane(sum, 1), opacity),
                blended(photo.blue, kept.blue, lane(sum, 0), opacity),
            )
        }

        private fun blended(photo: Int, kept: Int, value: Int, opacity: Int): Int {
            val after = max(0, min(255, (photo and kept) + value))
            return photo + ((after - photo) * opacity + HALF shr OPACITY_BITS)
        }
    }
}

/** Blue, green and red of each pixel. */
internal fun channels(face: PixelImage) = LongArray(face.argb.size) { at -> face.argb[at].let { packed(it.blue, it.green, it.red) } }

/** What blue, green and red of each pixel gain from [before] to [after]. */
internal fun difference(after: PixelImage, before: PixelImage) = LongArray(after.argb.size) { at ->
    val a = after.argb[at]
    val b = before.argb[at]
    packed(a.blue - b.blue, a.green - b.green, a.red - b.red)
}

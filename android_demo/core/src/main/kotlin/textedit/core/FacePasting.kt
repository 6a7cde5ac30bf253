package textedit.core

import kotlin.math.max
import kotlin.math.min

/**
 * Puts edited faces into one picture, again and again: what depends on the picture and its face alone is computed once.
 *
 * The result is that of [pasteBack] to about one level of 255 for an upright face. Where a face is turned by nearly 45 degrees from the
 * picture's edges, its sharpest edges may differ by fifteen.
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
    private val mapping = transform.toCropPixels(unedited.width)
    private val rim = CubicWarp(unedited.width, mapping)
    private val warp = TwoPassWarp(unedited.width, mapping, box, rows)

    /** [picture] with [face] in it, or with the change from the reconstruction to [face] where [keepDetail] asks for that. */
    fun paste(face: PixelImage, keepDetail: Boolean): PixelImage {
        val result = picture.copy()
        if (box.isEmpty) return result
        val reduced = face.notLargerThan(transform.side)
        warp.set(if (keepDetail) difference(reduced, unedited) else channels(reduced))
        // The photo's own level counts where a change is added to it.
        val kept = if (keepDetail) 0xFFFFFF else 0
        rows.forEachBand(box.height) { from, until ->
            val opacities = IntArray(picture.width)
            for (y in box.top + from until box.top + until) pasteRow(y, kept, opacities, result.argb)
        }
        return result
    }

    private fun pasteRow(y: Int, kept: Int, opacities: IntArray, target: IntArray) {
        val start = y * picture.width
        val columns = rim.columns(y, picture.width)
        rim.forEach(columns, y) { x, _, _, opacity -> opacities[x] = opacity }
        warp.forEach(columns, y) { x, sum -> target[start + x] = blended(target[start + x], kept, sum, opacities[x]) }
    }

    private companion object {
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

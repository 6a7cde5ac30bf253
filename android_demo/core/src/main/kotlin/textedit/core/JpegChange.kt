package textedit.core

import kotlin.math.roundToInt

/** How densely one component of a JPEG is stored: one of its pixels lies over so many of the picture's. */
internal data class Sampling(val across: Double, val down: Double)

/** What an edit does to the stored pixels of a JPEG, in its own components: luminance and two colour differences. */
internal interface JpegChange {
    /** True where the block of 8 x 8 pixels at ([x], [y]) of a component is touched. */
    fun touches(component: Int, x: Int, y: Int): Boolean

    /**
     * What the block's pixels gain.
     *
     * @param levels the pixels as they are, 0 to 255; only asked for where they are replaced.
     * @param gains receives 64 numbers, row by row.
     */
    fun gains(component: Int, x: Int, y: Int, levels: () -> FloatArray, gains: FloatArray)
}

/** A face that is pasted. */
internal class PastedJpeg(change: PastedFace, toUpright: Affine, samplings: List<Sampling>) : JpegChange {
    private val edited = change.edited.notLargerThan(change.crop.side)
    private val addsChange = change.reconstruction != null
    private val square = PackedSquare(edited.width)
    private val warps: List<CubicWarp>

    init {
        square.set(components(edited, change.reconstruction?.notLargerThan(change.crop.side)))
        val toSquare = change.crop.toCropPixels(edited.width).after(toUpright)
        warps = samplings.map { CubicWarp(edited.width, toSquare.after(Affine(it.across, 0.0, 0.0, 0.0, it.down, 0.0))) }
    }

    override fun touches(component: Int, x: Int, y: Int): Boolean = (y until y + BLOCK).any { !columns(component, x, it).isEmpty() }

    override fun gains(component: Int, x: Int, y: Int, levels: () -> FloatArray, gains: FloatArray) {
        gains.fill(0f)
        val before = if (addsChange) null else levels()
        for (row in 0 until BLOCK) {
            warps[component].forEach(columns(component, x, y + row), y + row) { column, u, v, opacity ->
                val at = row * BLOCK + column - x
                val gain = lane(square.at(u, v), component) - (before?.get(at) ?: 0f)
                gains[at] = gain * opacity / FULL
            }
        }
    }

    private fun columns(component: Int, x: Int, y: Int): IntRange {
        val all = warps[component].columns(y, Int.MAX_VALUE)
        return maxOf(all.first, x)..minOf(all.last, x + BLOCK - 1)
    }

    private companion object {
        const val BLOCK = JpegBlock.SIDE
        const val FULL = (1 shl OPACITY_BITS).toFloat()

        fun components(after: PixelImage, before: PixelImage?) = LongArray(after.argb.size) { at ->
            val gained = { component: Int -> jfif(component, after.argb[at]) - (before?.let { jfif(component, it.argb[at]) } ?: 0f) }
            packed(whole(gained(0)), whole(gained(1)), whole(gained(2)))
        }

        fun whole(value: Float): Int = value.roundToInt().coerceIn(-255, 255)
    }
}

/** JFIF 1.02: luminance, blue and red difference, 0 to 255. */
internal fun jfif(component: Int, pixel: Int): Float = when (component) {
    0 -> luma(pixel)
    1 -> 128 - 0.168736f * pixel.red - 0.331264f * pixel.green + 0.5f * pixel.blue
    else -> 128 + 0.5f * pixel.red - 0.418688f * pixel.green - 0.081312f * pixel.blue
}

/** First [first], then this. */
internal fun Affine.after(first: Affine) = Affine(
    a * first.a + b * first.d, a * first.b + b * first.e, a * first.c + b * first.f + c,
    d * first.a + e * first.d, d * first.b + e * first.e, d * first.c + e * first.f + f,
)

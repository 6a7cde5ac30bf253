package textedit.core

import kotlin.math.ceil
import kotlin.math.max
import kotlin.math.min
import kotlin.math.roundToInt

// The resampling of pictures that are made while a slider moves, and of photos at full size: the cubic of Resampling.kt with positions in
// steps of 1/64 pixel. `pasteBack` is the exact form.

// Positions are 32.32 fixed point, so that adding one step a pixel stays exact over any row.
internal const val POSITION_BITS = 32
private const val ONE = (1L shl POSITION_BITS).toDouble()

// Entries of the ramp a pixel of the crop, and the bits of a full opacity in one direction.
private const val RAMP_BITS = 4
private const val RAMP_FULL_BITS = 11

/** Bits of [CubicWarp]'s full opacity, which is the product of two directions. */
internal const val OPACITY_BITS = 2 * RAMP_FULL_BITS

/**
 * Lays squares of [side] pixels onto a grid of pixels with a soft rim.
 *
 * @param mapping from positions on the grid to positions in the square.
 */
internal class CubicWarp(val side: Int, private val mapping: Affine) {
    private val ramp = ramp(side)
    private val stepX = fixed(mapping.a)
    private val stepY = fixed(mapping.d)

    /** Columns of the grid's row [y] whose centres lie in the square, of those below [width]; first and one past the last. */
    fun columns(y: Int, width: Int): IntRange {
        val across = inside(mapping.a, mapping.b * (y + 0.5) + mapping.c)
        val along = inside(mapping.d, mapping.e * (y + 0.5) + mapping.f)
        val first = max(0.0, ceil(max(across.first, along.first) - 0.5)).toInt()
        val end = min(width.toDouble(), ceil(min(across.second, along.second) - 0.5)).toInt()
        return first until end
    }

    /** Calls [pixel] with column, position in the square as 32.32 fixed point, and opacity, for each of [columns] in the row [y]. */
    inline fun forEach(columns: IntRange, y: Int, pixel: (x: Int, u: Long, v: Long, opacity: Int) -> Unit) {
        if (columns.isEmpty()) return
        val x0 = columns.first + 0.5
        var u = fixed(mapping.a * x0 + mapping.b * (y + 0.5) + mapping.c)
        var v = fixed(mapping.d * x0 + mapping.e * (y + 0.5) + mapping.f)
        for (x in columns) {
            pixel(x, u, v, opacity(u) * opacity(v))
            u += stepX
            v += stepY
        }
    }

    private fun opacity(position: Long): Int = ramp[(position shr (POSITION_BITS - RAMP_BITS)).toInt() + RAMP_START]

    /** Positions x for which `slope * x + start` lies in the square. */
    private fun inside(slope: Double, start: Double): Pair<Double, Double> = when {
        slope == 0.0 -> if (start >= 0 && start < side) Double.NEGATIVE_INFINITY to Double.POSITIVE_INFINITY else 0.0 to -1.0
        slope > 0 -> -start / slope to (side - start) / slope
        else -> (side - start) / slope to -start / slope
    }

    companion object {
        // A position may miss the square by what adding steps rounds off.
        const val RAMP_START = 1

        fun fixed(value: Double): Long = Math.round(value * ONE)

        private fun ramp(side: Int): IntArray = IntArray((side shl RAMP_BITS) + 2 * RAMP_START) { at ->
            val position = (at - RAMP_START + 0.5) / (1 shl RAMP_BITS)
            (feather(position / side) * (1 shl RAMP_FULL_BITS)).roundToInt()
        }
    }
}

/** The mapping of a grid whose pixel (0, 0) is this one's ([x], [y]). */
internal fun Affine.from(x: Int, y: Int) = Affine(a, b, a * x + b * y + c, d, e, d * x + e * y + f)

/** From photo pixels to pixels of a crop of [size]. */
internal fun CropTransform.toCropPixels(size: Int): Affine {
    val axis = axis * (size / (side * side))
    return Affine(axis.x, axis.y, -(axis.x * origin.x + axis.y * origin.y), -axis.y, axis.x, axis.y * origin.x - axis.x * origin.y)
}

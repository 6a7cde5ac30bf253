package textedit.core

import kotlin.math.abs
import kotlin.math.max

// Bits of a weight in one direction, and of those the bits after the point that the first pass keeps.
private const val KEPT_BITS = 2
private const val PASS_WEIGHT_BITS = WEIGHT_BITS - KEPT_BITS
private const val TAPS_A_PASS = 4

/**
 * Resamples a square onto the pixels of a box by the same cubic as [PackedSquare], four weights a pass in place of sixteen: first along the
 * square's rows to the columns of the box, then down the columns (Catmull and Smith 1980). Loads follow each other in memory.
 *
 * @param mapping from the picture's pixels to the square's, a similarity that keeps left and right.
 */
internal class TwoPassWarp(private val side: Int, mapping: Affine, private val box: Box, private val rows: RowPool) {
    private val turns = turns(mapping)
    private val turned = turned(mapping, turns, side)
    private val coarse = PackedSquare(side)
    private val across = LongArray((side + 2 * BORDER) * max(0, box.width))
    private val step = CubicWarp.fixed(turned.d)

    /** Takes another square. */
    fun set(values: LongArray) {
        coarse.set(turnedValues(values))
        rows.forEachBand(side + 2 * BORDER) { from, until -> for (row in from until until) passAlong(row) }
    }

    /** Calls [pixel] with column of the picture and weighted sum, see [lane], for [columns] of the picture's row [y]. */
    inline fun forEach(columns: IntRange, y: Int, pixel: (x: Int, sum: Long) -> Unit) {
        val from = across
        val width = box.width
        val weights = WEIGHTS
        var v = CubicWarp.fixed(turned.d * (columns.first + 0.5) + turned.e * (y + 0.5) + turned.f) + TO_PHASE
        for (x in columns) {
            val at = ((v shr POSITION_BITS).toInt() + BORDER - 1) * width + x - box.left
            val w = phase(v) * TAPS_A_PASS
            pixel(
                x,
                OFFSETS + from[at] * weights[w] + from[at + width] * weights[w + 1] +
                    from[at + 2 * width] * weights[w + 2] + from[at + 3 * width] * weights[w + 3],
            )
            v += step
        }
    }

    /** One row of the square at every column of the box, where a line down that column crosses it. */
    private fun passAlong(row: Int) {
        val from = coarse.pixels
        val v = row - BORDER + 0.5
        val slope = turned.b / turned.e
        val x = box.left + 0.5
        var u = CubicWarp.fixed(turned.a * x + slope * (v - turned.f - turned.d * x) + turned.c) + TO_PHASE
        val step = CubicWarp.fixed(turned.a - slope * turned.d)
        val last = coarse.stride - TAPS_A_PASS
        for (at in row * box.width until (row + 1) * box.width) {
            // Beside the square its edge goes on.
            val first = row * coarse.stride + ((u shr POSITION_BITS).toInt() + BORDER - 1).coerceIn(0, last)
            val w = phase(u) * TAPS_A_PASS
            val sum = from[first] * WEIGHTS[w] + from[first + 1] * WEIGHTS[w + 1] +
                from[first + 2] * WEIGHTS[w + 2] + from[first + 3] * WEIGHTS[w + 3]
            across[at] = unweighted(sum, PASS_WEIGHT_BITS - KEPT_BITS)
            u += step
        }
    }

    private fun turnedValues(values: LongArray): LongArray = if (turns == 0) values else LongArray(values.size) { at ->
        val (x, y) = at % side to at / side
        val last = side - 1
        values[when (turns) {
            1 -> x * side + last - y
            2 -> (last - y) * side + last - x
            else -> (last - x) * side + y
        }]
    }

    companion object {
        val WEIGHTS = IntArray(PHASES * TAPS_A_PASS).also { table ->
            for (phase in 0 until PHASES) {
                fixedWeights(cubicWeights(phase.toDouble() / PHASES), PASS_WEIGHT_BITS).copyInto(table, phase * TAPS_A_PASS)
            }
        }

        /** By how many quarters the square has to be turned, so that its rows lie along those of the picture within 45 degrees. */
        fun turns(mapping: Affine): Int = when {
            abs(mapping.a) >= abs(mapping.b) -> if (mapping.a > 0) 0 else 2
            else -> if (mapping.b > 0) 3 else 1
        }

        fun turned(mapping: Affine, turns: Int, side: Int): Affine = mapping.run {
            when (turns) {
                0 -> this
                1 -> Affine(d, e, f, -a, -b, side - c)
                2 -> Affine(-a, -b, side - c, -d, -e, side - f)
                else -> Affine(-d, -e, side - f, a, b, c)
            }
        }
    }
}

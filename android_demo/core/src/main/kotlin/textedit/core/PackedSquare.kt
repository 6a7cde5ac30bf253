package textedit.core

import kotlin.math.floor
import kotlin.math.roundToInt

// Three signed channels in one 64-bit number, in lanes of 21 bits: a weighted sum of such numbers is that of all three at once. The largest
// sum, 255 * 2.25 * 1024 (2.25: the absolute weights of a cubic in two directions), stays below 2^20.

private const val LANE_BITS = 21
private const val LANE_MASK = (1L shl LANE_BITS) - 1
private const val LANE_OFFSET = 1L shl (LANE_BITS - 1)
private const val WEIGHT_BITS = 10
private const val ROUNDED_OFFSET = LANE_OFFSET + (1L shl (WEIGHT_BITS - 1))
private const val EACH_LANE = 1L or (1L shl LANE_BITS) or (1L shl 2 * LANE_BITS)
private const val OFFSETS = ROUNDED_OFFSET * EACH_LANE

// Lanes without their weights' bits, in which zero stands as 2^10.
private const val UNWEIGHTED = (LANE_MASK ushr WEIGHT_BITS) * EACH_LANE
private const val ZEROS = (LANE_OFFSET ushr WEIGHT_BITS) * EACH_LANE
private const val OUTSIDE_BYTE = (LANE_MASK - 0xFF) * EACH_LANE

private const val PHASE_BITS = 6
private const val PHASES = 1 shl PHASE_BITS
private const val TAPS = 16

// Pixels of border, repeated from the edge, for the taps of positions near it.
private const val BORDER = 2

/** Three channels of -255 to 255 in one number. */
internal fun packed(first: Int, second: Int, third: Int): Long =
    first.toLong() + (second.toLong() shl LANE_BITS) + (third.toLong() shl 2 * LANE_BITS)

/** The channel 0, 1 or 2 of what [SampledSquare.at] gives. */
internal fun lane(sum: Long, channel: Int): Int =
    ((sum ushr channel * LANE_BITS and LANE_MASK) - LANE_OFFSET).toInt() shr WEIGHT_BITS

/** An opaque pixel whose channels are those of [base] plus those of [sum] as blue, green, red; 0 where one of them leaves 0 to 255. */
internal fun added(base: Int, sum: Long): Int {
    val spread = (base and 0xFF).toLong() or ((base and 0xFF00).toLong() shl LANE_BITS - 8) or ((base and 0xFF0000).toLong() shl 2 * LANE_BITS - 16)
    val channels = (sum ushr WEIGHT_BITS and UNWEIGHTED) + spread
    if (channels and OUTSIDE_BYTE != ZEROS) return 0
    return opaque((channels ushr 2 * LANE_BITS).toInt() and 0xFF, (channels ushr LANE_BITS).toInt() and 0xFF, channels.toInt() and 0xFF)
}

/** A square of three channels that can be looked up between its pixels. */
internal sealed interface SampledSquare {
    /** The weighted sum for a position in pixels from the top left corner, as 32.32 fixed point; [lane] reads it. */
    fun at(x: Long, y: Long): Long
}

/** Bicubic, a = -1: sixteen weights by the position in steps of 1/64 pixel. [values] are [side] rows of [packed] pixels. */
internal class PackedSquare(val side: Int, values: LongArray) : SampledSquare {
    val stride = side + 2 * BORDER
    val pixels = LongArray(stride * stride)

    init {
        for (y in 0 until stride) {
            val row = (y - BORDER).coerceIn(0, side - 1) * side
            val start = y * stride
            values.copyInto(pixels, start + BORDER, row, row + side)
            pixels.fill(values[row], start, start + BORDER)
            pixels.fill(values[row + side - 1], start + BORDER + side, start + stride)
        }
    }

    override fun at(x: Long, y: Long): Long {
        val u = x + TO_PHASE
        val v = y + TO_PHASE
        val first = ((v shr POSITION_BITS).toInt() + BORDER - 1) * stride + (u shr POSITION_BITS).toInt() + BORDER - 1
        return sum(pixels, first, stride, WEIGHTS, (phase(v) shl PHASE_BITS or phase(u)) * TAPS)
    }

    private companion object {
        // From the distance to the corner to that from the first pixel's centre, and half a phase on, so that cutting off rounds.
        const val TO_PHASE = (1L shl (POSITION_BITS - PHASE_BITS - 1)) - (1L shl (POSITION_BITS - 1))
        val WEIGHTS = weights()

        fun phase(position: Long): Int = (position ushr (POSITION_BITS - PHASE_BITS)).toInt() and PHASES - 1

        fun sum(p: LongArray, first: Int, stride: Int, w: IntArray, k: Int): Long {
            val second = first + stride
            val third = second + stride
            val fourth = third + stride
            return OFFSETS +
                p[first] * w[k] + p[first + 1] * w[k + 1] + p[first + 2] * w[k + 2] + p[first + 3] * w[k + 3] +
                p[second] * w[k + 4] + p[second + 1] * w[k + 5] + p[second + 2] * w[k + 6] + p[second + 3] * w[k + 7] +
                p[third] * w[k + 8] + p[third + 1] * w[k + 9] + p[third + 2] * w[k + 10] + p[third + 3] * w[k + 11] +
                p[fourth] * w[k + 12] + p[fourth + 1] * w[k + 13] + p[fourth + 2] * w[k + 14] + p[fourth + 3] * w[k + 15]
        }

        private fun weights(): IntArray {
            val table = IntArray(PHASES * PHASES * TAPS)
            for (row in 0 until PHASES) for (column in 0 until PHASES) {
                val down = cubicWeights(row.toDouble() / PHASES)
                val across = cubicWeights(column.toDouble() / PHASES)
                fixedWeights(DoubleArray(TAPS) { down[it / 4] * across[it % 4] }, WEIGHT_BITS)
                    .copyInto(table, (row * PHASES + column) * TAPS)
            }
            return table
        }
    }
}

// Bits of a weight in one direction, and bits after the point that a fine pixel keeps.
private const val FINE_WEIGHT_BITS = 8
private const val KEPT_BITS = 2

/**
 * A [PackedSquare] enlarged four times by the same cubic and bilinear from there on. On a grid that is finer than the square this looks the
 * same and takes a quarter of the loads a pixel.
 */
internal class FineSquare(side: Int) : SampledSquare {
    private val stride = FACTOR * side + 2 * FACTOR
    private val pixels = LongArray(stride * stride)

    /** Takes another square of the same side. */
    fun set(coarse: PackedSquare, rows: RowPool) = rows.forEachBand(stride) { from, until ->
        val row = LongArray(coarse.stride)
        for (y in from until until) {
            val first = firstTap(y)
            // The outermost rows are never looked at.
            if (first < 0 || first + 3 >= coarse.stride) continue
            enlargeDown(coarse, first * coarse.stride, WEIGHTS[y and FACTOR - 1], row)
            for (phase in 0 until FACTOR) enlargeAcross(row, phase, y * stride)
        }
    }

    override fun at(x: Long, y: Long): Long {
        val u = (x shl FACTOR_BITS) + TO_FIRST
        val v = (y shl FACTOR_BITS) + TO_FIRST
        val across = part(u)
        val first = (v shr POSITION_BITS).toInt() * stride + (u shr POSITION_BITS).toInt()
        val above = (pixels[first] shl PART_BITS) + (pixels[first + 1] - pixels[first]) * across
        val below = (pixels[first + stride] shl PART_BITS) + (pixels[first + stride + 1] - pixels[first + stride]) * across
        return OFFSETS + (above shl PART_BITS) + (below - above) * part(v)
    }

    private fun enlargeDown(coarse: PackedSquare, start: Int, weights: IntArray, into: LongArray) {
        val from = coarse.pixels
        val stride = coarse.stride
        val (w0, w1, w2, w3) = weights
        for (x in 0 until stride) {
            val at = start + x
            into[x] = shifted(from[at] * w0 + from[at + stride] * w1 + from[at + 2 * stride] * w2 + from[at + 3 * stride] * w3, DOWN_SHIFT)
        }
    }

    private fun enlargeAcross(row: LongArray, phase: Int, start: Int) {
        val (w0, w1, w2, w3) = WEIGHTS[phase]
        val tap = firstTap(phase)
        for (at in maxOf(0, -tap) until minOf(stride / FACTOR, row.size - 3 - tap)) {
            val first = at + tap
            val sum = row[first] * w0 + row[first + 1] * w1 + row[first + 2] * w2 + row[first + 3] * w3
            pixels[start + phase + FACTOR * at] = shifted(sum, FINE_WEIGHT_BITS)
        }
    }

    private companion object {
        const val FACTOR_BITS = 2
        const val FACTOR = 1 shl FACTOR_BITS

        // A whole coarse pixel of border, so that fine indices modulo four are phases; positions count from a pixel's centre.
        const val TO_FIRST = (FACTOR.toLong() shl POSITION_BITS) - (1L shl (POSITION_BITS - 1))
        const val DOWN_SHIFT = FINE_WEIGHT_BITS - KEPT_BITS
        const val PART_BITS = 4

        /** By the fine index modulo four, whose centre lies that many quarters and an eighth after a coarse pixel's edge. */
        val WEIGHTS = Array(FACTOR) { phase ->
            val position = (phase + 0.5) / FACTOR + 0.5
            fixedWeights(cubicWeights(position - floor(position)), FINE_WEIGHT_BITS)
        }

        fun part(position: Long): Long = position ushr (POSITION_BITS - PART_BITS) and (1L shl PART_BITS) - 1

        /** Index in the coarse square with its border of the first of the four taps for a fine index. */
        fun firstTap(fine: Int): Int = floor((fine + 0.5) / FACTOR - 1 - 0.5).toInt() + BORDER - 1

        /** Drops bits of each lane, rounded. */
        fun shifted(sum: Long, bits: Int): Long =
            (sum + (LANE_OFFSET + (1L shl (bits - 1))) * EACH_LANE ushr bits and (LANE_MASK ushr bits) * EACH_LANE) -
                (LANE_OFFSET ushr bits) * EACH_LANE
    }
}

/** Weights of the four pixels around a position that lies [d] after the second of them. */
private fun cubicWeights(d: Double) = doubleArrayOf(
    -d + d * d * (2 - d),
    1 - d * d * (2 - d),
    d + d * d * (1 - d),
    d * d * (d - 1),
)

/** Weights in steps of 2^-[bits]. An even area stays even: what rounding lost or added goes to the largest weight. */
private fun fixedWeights(exact: DoubleArray, bits: Int): IntArray {
    val weights = IntArray(exact.size) { (exact[it] * (1 shl bits)).roundToInt() }
    weights[weights.indices.maxBy { weights[it] }] += (1 shl bits) - weights.sum()
    return weights
}

package textedit.core

import kotlin.math.roundToInt

// Three signed channels in one 64-bit number, in lanes of 21 bits: a weighted sum of such numbers is that of all three at once. The largest
// sum, 255 * 2.25 * 1024 (2.25: the absolute weights of a cubic in two directions), stays below 2^20.

private const val LANE_BITS = 21
private const val LANE_MASK = (1L shl LANE_BITS) - 1
private const val LANE_OFFSET = 1L shl (LANE_BITS - 1)
internal const val WEIGHT_BITS = 10
private const val ROUNDED_OFFSET = LANE_OFFSET + (1L shl (WEIGHT_BITS - 1))
private const val EACH_LANE = 1L or (1L shl LANE_BITS) or (1L shl 2 * LANE_BITS)
internal const val OFFSETS = ROUNDED_OFFSET * EACH_LANE

// Lanes without their weights' bits, in which zero stands as 2^10.
private const val UNWEIGHTED = (LANE_MASK ushr WEIGHT_BITS) * EACH_LANE
private const val ZEROS = (LANE_OFFSET ushr WEIGHT_BITS) * EACH_LANE
private const val OUTSIDE_BYTE = (LANE_MASK - 0xFF) * EACH_LANE

private const val PHASE_BITS = 6
internal const val PHASES = 1 shl PHASE_BITS
private const val TAPS = 16

// Pixels of border, repeated from the edge, for the taps of positions near it.
internal const val BORDER = 2

/** Three channels of -255 to 255 in one number. */
internal fun packed(first: Int, second: Int, third: Int): Long =
    first.toLong() + (second.toLong() shl LANE_BITS) + (third.toLong() shl 2 * LANE_BITS)

/** The channel 0, 1 or 2 of what [PackedSquare.at] gives. */
internal fun lane(sum: Long, channel: Int): Int =
    ((sum ushr channel * LANE_BITS and LANE_MASK) - LANE_OFFSET).toInt() shr WEIGHT_BITS

/** An opaque pixel whose channels are those of [base] plus those of [sum] as blue, green, red; 0 where one of them leaves 0 to 255. */
internal fun added(base: Int, sum: Long): Int {
    val spread = (base and 0xFF).toLong() or
        ((base and 0xFF00).toLong() shl LANE_BITS - 8) or
        ((base and 0xFF0000).toLong() shl 2 * LANE_BITS - 16)
    val channels = (sum ushr WEIGHT_BITS and UNWEIGHTED) + spread
    if (channels and OUTSIDE_BYTE != ZEROS) return 0
    return opaque((channels ushr 2 * LANE_BITS).toInt() and 0xFF, (channels ushr LANE_BITS).toInt() and 0xFF, channels.toInt() and 0xFF)
}

/** A square of three channels that can be looked up between its pixels: bicubic, a = -1, at positions in steps of 1/64 pixel. */
internal class PackedSquare(private val side: Int) {
    val stride = side + 2 * BORDER
    val pixels = LongArray(stride * stride)

    /** Takes rows of [packed] pixels. */
    fun set(values: LongArray) {
        for (y in 0 until stride) {
            val row = (y - BORDER).coerceIn(0, side - 1) * side
            val start = y * stride
            values.copyInto(pixels, start + BORDER, row, row + side)
            pixels.fill(values[row], start, start + BORDER)
            pixels.fill(values[row + side - 1], start + BORDER + side, start + stride)
        }
    }

    /** The weighted sum for a position in pixels from the top left corner, as 32.32 fixed point; [lane] reads it. */
    fun at(x: Long, y: Long): Long {
        val u = x + TO_PHASE
        val v = y + TO_PHASE
        val first = ((v shr POSITION_BITS).toInt() + BORDER - 1) * stride + (u shr POSITION_BITS).toInt() + BORDER - 1
        return sum(pixels, first, stride, WEIGHTS, (phase(v) shl PHASE_BITS or phase(u)) * TAPS)
    }

    private companion object {
        val WEIGHTS = weights()

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

// From the distance to the corner to that from the first pixel's centre, and half a phase on, so that cutting off rounds.
internal const val TO_PHASE = (1L shl (POSITION_BITS - PHASE_BITS - 1)) - (1L shl (POSITION_BITS - 1))

/** Which of [PHASES] steps between two pixels a position is at. */
internal fun phase(position: Long): Int = (position ushr (POSITION_BITS - PHASE_BITS)).toInt() and PHASES - 1

/** Drops [bits] of weights from each lane, rounded. */
internal fun unweighted(sum: Long, bits: Int): Long =
    (sum + (LANE_OFFSET + (1L shl (bits - 1))) * EACH_LANE ushr bits and (LANE_MASK ushr bits) * EACH_LANE) -
        (LANE_OFFSET ushr bits) * EACH_LANE

/** Weights of the four pixels around a position that lies [d] after the second of them. */
internal fun cubicWeights(d: Double) = doubleArrayOf(
    -d + d * d * (2 - d),
    1 - d * d * (2 - d),
    d + d * d * (1 - d),
    d * d * (d - 1),
)

/** Weights in steps of 2^-[bits]. An even area stays even: what rounding lost or added goes to the largest weight. */
internal fun fixedWeights(exact: DoubleArray, bits: Int): IntArray {
    val weights = IntArray(exact.size) { (exact[it] * (1 shl bits)).roundToInt() }
    weights[weights.indices.maxBy { weights[it] }] += (1 shl bits) - weights.sum()
    return weights
}

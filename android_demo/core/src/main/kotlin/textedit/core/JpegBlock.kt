package textedit.core

import kotlin.math.PI
import kotlin.math.cos
import kotlin.math.roundToInt
import kotlin.math.sqrt

/** The quantised coefficients of 8 x 8 pixels, in the zigzag order of T.81, and the transform behind them. */
internal class JpegBlock {
    val coefficients = IntArray(SIZE)
    private val scratch = FloatArray(SIZE)
    private val plane = FloatArray(SIZE)

    /** Reads a block; [before] is the first coefficient of the component's last one. */
    fun read(input: JpegInput, dc: JpegHuffman, ac: JpegHuffman, before: Int) {
        coefficients.fill(0)
        val bits = dc.read(input)
        if (bits > MAX_DC_BITS) throw JpegUnsupported("more than 8 bits a pixel")
        coefficients[0] = before + input.signed(bits)
        var at = 1
        while (at < SIZE) {
            val symbol = ac.read(input)
            val size = symbol and 0xF
            at += symbol shr 4
            if (size == 0 && symbol != LONG_RUN) return
            if (at >= SIZE || size > MAX_AC_BITS) throw JpegUnsupported("a block with too many coefficients")
            coefficients[at++] = input.signed(size)
        }
    }

    fun write(output: JpegOutput, dc: JpegHuffman, ac: JpegHuffman, before: Int) {
        writeNumber(output, dc, 0, coefficients[0] - before)
        var zeros = 0
        for (at in 1 until SIZE) {
            val value = coefficients[at]
            if (value == 0) {
                zeros++
                continue
            }
            while (zeros > LONGEST_RUN) {
                ac.write(output, LONG_RUN, 0, 0)
                zeros -= LONGEST_RUN + 1
            }
            writeNumber(output, ac, zeros shl 4, value)
            zeros = 0
        }
        if (zeros > 0) ac.write(output, END_OF_BLOCK, 0, 0)
    }

    /** The pixels, 0 to 255 and beyond, row by row; a new array. */
    fun levels(steps: IntArray): FloatArray {
        for (at in 0 until SIZE) plane[ZIGZAG[at]] = (coefficients[at] * steps[at]).toFloat()
        val levels = FloatArray(SIZE)
        transform(plane, levels) { frequency, position -> BASIS[frequency * SIDE + position] }
        for (at in 0 until SIZE) levels[at] += MIDDLE
        return levels
    }

    /** Adds to the pixels what they gain. Coefficients change by whole quantisation steps, so that no gain is no change. */
    fun add(gains: FloatArray, steps: IntArray) {
        transform(gains, plane) { position, frequency -> BASIS[frequency * SIDE + position] }
        for (at in 0 until SIZE) {
            val limit = if (at == 0) MAX_DC else MAX_AC
            coefficients[at] = (coefficients[at] + (plane[ZIGZAG[at]] / steps[at]).roundToInt()).coerceIn(-limit, limit)
        }
    }

    private fun writeNumber(output: JpegOutput, table: JpegHuffman, run: Int, value: Int) {
        val size = Int.SIZE_BITS - Integer.numberOfLeadingZeros(if (value < 0) -value else value)
        table.write(output, run or size, if (value < 0) value - 1 else value, size)
    }

    /** Sums along rows, then along columns, weighted by [basis] of where a number comes from and goes to. */
    private inline fun transform(from: FloatArray, into: FloatArray, basis: (from: Int, to: Int) -> Float) {
        for (row in 0 until SIDE) for (to in 0 until SIDE) {
            var sum = 0f
            for (at in 0 until SIDE) sum += from[row * SIDE + at] * basis(at, to)
            scratch[row * SIDE + to] = sum
        }
        for (column in 0 until SIDE) for (to in 0 until SIDE) {
            var sum = 0f
            for (at in 0 until SIDE) sum += scratch[at * SIDE + column] * basis(at, to)
            into[to * SIDE + column] = sum
        }
    }

    companion object {
        const val SIDE = 8
        const val SIZE = SIDE * SIDE
        private const val MIDDLE = 128f
        private const val MAX_DC_BITS = 11
        private const val MAX_AC_BITS = 10

        // What baseline tables have codes for: differences of up to 2047, and numbers of up to 1023.
        private const val MAX_DC = 1023
        private const val MAX_AC = 1023
        private const val END_OF_BLOCK = 0
        private const val LONG_RUN = 0xF0
        private const val LONGEST_RUN = 15

        /** Place in the block, row by row, of each coefficient. */
        private val ZIGZAG = (0 until SIZE)
            .sortedWith(compareBy({ diagonal(it) }, { if (diagonal(it) % 2 == 0) it % SIDE else it / SIDE }))
            .toIntArray()

        private fun diagonal(at: Int): Int = at / SIDE + at % SIDE

        /** The orthonormal cosine transform, a row a frequency. */
        private val BASIS = FloatArray(SIZE) { at ->
            val (frequency, position) = at / SIDE to at % SIDE
            val scale = if (frequency == 0) sqrt(1.0 / SIDE) else sqrt(2.0 / SIDE)
            (scale * cos((2 * position + 1) * frequency * PI / (2 * SIDE))).toFloat()
        }
    }
}

package textedit.core

import kotlin.math.abs
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

// Both resamplings follow Pillow's, with which the networks' training crops were made: an antialiased Keys kernel (a = -0.5) in fixed
// point to change the size, an interpolating cubic (a = -1) to rotate and move.

private const val FIXED_POINT_BITS = 22
private const val SUPPORT = 2.0

/** A box in pixels of an image; right and bottom are exclusive. */
internal data class Box(val left: Int, val top: Int, val right: Int, val bottom: Int) {
    val width: Int get() = right - left
    val height: Int get() = bottom - top
    val isEmpty: Boolean get() = width <= 0 || height <= 0
}

/** Maps output positions to input positions: `x' = a x + b y + c`, `y' = d x + e y + f`. */
internal class Affine(val a: Double, val b: Double, val c: Double, val d: Double, val e: Double, val f: Double)

/** The part of an image under [box], antialiased to [width] x [height] pixels. */
internal fun PixelImage.resized(width: Int, height: Int, box: Box = Box(0, 0, this.width, this.height)): PixelImage {
    if (width == box.width && height == box.height) return cropped(box)
    val rows = Kernel.of(this.height, box.top, box.bottom, height)
    val columns = Kernel.of(this.width, box.left, box.right, width)
    val firstRow = rows.first.min()
    val lastRow = rows.first.indices.maxOf { rows.first[it] + rows.weights[it].size }
    val narrow = IntArray(width * (lastRow - firstRow))
    for (y in firstRow until lastRow) {
        for (x in 0 until width) {
            narrow[(y - firstRow) * width + x] = columns.weighted(x) { argb[y * this.width + it] }
        }
    }
    return PixelImage(width, height, IntArray(width * height) { at ->
        rows.weighted(at / width) { narrow[(it - firstRow) * width + at % width] }
    })
}

internal fun PixelImage.cropped(box: Box): PixelImage {
    val pixels = IntArray(box.width * box.height)
    for (y in 0 until box.height) {
        val row = (box.top + y) * width
        argb.copyInto(pixels, y * box.width, row + box.left, row + box.right)
    }
    return PixelImage(box.width, box.height, pixels)
}

/** For each output position the first input position and the weights from there on. */
private class Kernel(val first: IntArray, val weights: Array<IntArray>) {
    inline fun weighted(at: Int, pixel: (Int) -> Int): Int {
        val taps = weights[at]
        var red = HALF
        var green = HALF
        var blue = HALF
        for (tap in taps.indices) {
            val value = pixel(first[at] + tap)
            red += value.red * taps[tap]
            green += value.green * taps[tap]
            blue += value.blue * taps[tap]
        }
        return opaque(byteOf(red), byteOf(green), byteOf(blue))
    }

    companion object {
        const val HALF = 1 shl (FIXED_POINT_BITS - 1)

        fun byteOf(fixed: Int): Int = (fixed shr FIXED_POINT_BITS).coerceIn(0, 255)

        fun of(size: Int, from: Int, to: Int, outputSize: Int): Kernel {
            val scale = (to - from).toDouble() / outputSize
            val stretch = max(1.0, scale)
            val first = IntArray(outputSize)
            val weights = Array(outputSize) { at ->
                val center = from + (at + 0.5) * scale
                first[at] = max(0, (center - SUPPORT * stretch + 0.5).toInt())
                val end = min(size, (center + SUPPORT * stretch + 0.5).toInt())
                normalised(DoubleArray(end - first[at]) { keys((it + first[at] - center + 0.5) / stretch) })
            }
            return Kernel(first, weights)
        }

        private fun normalised(weights: DoubleArray): IntArray {
            val sum = weights.sum()
            return IntArray(weights.size) {
                val fixed = weights[it] / sum * (1 shl FIXED_POINT_BITS)
                (if (fixed < 0) fixed - 0.5 else fixed + 0.5).toInt()
            }
        }

        /** Keys' cubic convolution kernel with a = -0.5. */
        private fun keys(position: Double): Double {
            val x = abs(position)
            return when {
                x < 1 -> (1.5 * x - 2.5) * x * x + 1
                x < 2 -> ((-0.5 * x + 2.5) * x - 4) * x + 2
                else -> 0.0
            }
        }
    }
}

/** Bicubic resampling: the output pixel centred at p shows the input at `mapping(p)`, black outside. */
internal fun PixelImage.warped(width: Int, height: Int, mapping: Affine): PixelImage {
    val sampler = CubicSampler(this)
    return PixelImage(width, height, IntArray(width * height) { at ->
        val x = at % width + 0.5
        val y = at / width + 0.5
        sampler.at(mapping.a * x + mapping.b * y + mapping.c, mapping.d * x + mapping.e * y + mapping.f)
    })
}

private class CubicSampler(private val image: PixelImage) {
    private val red = DoubleArray(4)
    private val green = DoubleArray(4)
    private val blue = DoubleArray(4)

    fun at(x: Double, y: Double): Int {
        if (x < 0 || y < 0 || x >= image.width || y >= image.height) return opaque(0, 0, 0)
        val left = floor(x - 0.5)
        val top = floor(y - 0.5)
        val dx = x - 0.5 - left
        for (row in 0 until 4) interpolateRow(row, left.toInt() - 1, top.toInt() - 1 + row, dx)
        val dy = y - 0.5 - top
        return opaque(byteOf(cubic(red, dy)), byteOf(cubic(green, dy)), byteOf(cubic(blue, dy)))
    }

    private fun interpolateRow(row: Int, left: Int, y: Int, dx: Double) {
        val start = y.coerceIn(0, image.height - 1) * image.width
        val last = image.width - 1
        val p0 = image.argb[start + left.coerceIn(0, last)]
        val p1 = image.argb[start + (left + 1).coerceIn(0, last)]
        val p2 = image.argb[start + (left + 2).coerceIn(0, last)]
        val p3 = image.argb[start + (left + 3).coerceIn(0, last)]
        red[row] = cubic(p0.red.toDouble(), p1.red.toDouble(), p2.red.toDouble(), p3.red.toDouble(), dx)
        green[row] = cubic(p0.green.toDouble(), p1.green.toDouble(), p2.green.toDouble(), p3.green.toDouble(), dx)
        blue[row] = cubic(p0.blue.toDouble(), p1.blue.toDouble(), p2.blue.toDouble(), p3.blue.toDouble(), dx)
    }

    private fun cubic(rows: DoubleArray, d: Double) = cubic(rows[0], rows[1], rows[2], rows[3], d)

    private fun cubic(v0: Double, v1: Double, v2: Double, v3: Double, d: Double): Double =
        v1 + d * (v2 - v0 + d * (2 * (v0 - v1) + v2 - v3 + d * (v1 - v0 - v2 + v3)))

    private fun byteOf(value: Double): Int = Math.rint(value.toFloat().toDouble()).toInt().coerceIn(0, 255)
}

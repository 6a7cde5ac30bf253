package textedit.core

import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

/**
 * Draws an edit on its photo: moves the photo's own pixels and paints what is new. Pixels that neither move nor are painted keep their
 * bytes.
 *
 * @param transform where the crop lies in [photo].
 * @return a new picture of the photo's size.
 */
fun compose(photo: PixelImage, overlay: Overlay, transform: CropTransform): PixelImage =
    RowPool(threads = 1).use { Composition(photo, overlay, transform).picture(it) }

/**
 * An edit drawn on [photo], which may be a part of one: it has to hold [Overlay.needed].
 *
 * @param transform where the crop lies in [photo].
 */
internal class Composition(private val photo: PixelImage, private val overlay: Overlay, private val transform: CropTransform) {
    /** The pixels of [photo] that may change. */
    val box: Box = overlay.changed(transform, photo.width, photo.height)

    /** All of [photo], drawn anew. */
    fun picture(rows: RowPool): PixelImage {
        val result = photo.copy()
        if (box.isEmpty) return result
        rows.forEachBand(box.height) { from, until -> draw(Box(box.left, box.top + from, box.right, box.top + until), result, 0, 0) }
        return result
    }

    /** Draws what lies in [part] of [photo] into [target], whose first pixel is the one at ([left], [top]) of [photo]. */
    fun draw(part: Box, target: PixelImage, left: Int, top: Int) {
        val brush = Brush(photo, overlay, transform)
        val (first, end) = max(part.left, box.left) to min(part.right, box.right)
        for (y in max(part.top, box.top) until min(part.bottom, box.bottom)) {
            brush.row(y, first, end, target.argb, (y - top) * target.width - left)
        }
    }
}

/** Draws pixel after pixel; for one thread. The arithmetic is that of docs/bundle.md, in float32 but for positions. */
private class Brush(photo: PixelImage, private val overlay: Overlay, private val transform: CropTransform) {
    private val reader = CubicReader(photo)
    private val cells = overlay.cells
    private val side = overlay.side
    private val last = (side - 1).toDouble()
    private val axis = transform.axis

    /** Writes what changes of row [y] to `target[start + x]`. */
    fun row(y: Int, first: Int, end: Int, target: IntArray, start: Int) {
        val scale = 1 / (axis.x * axis.x + axis.y * axis.y)
        val stepX = axis.x * scale
        val stepY = axis.y * scale
        val down = y + 0.5 - transform.origin.y
        val active = overlay.active
        for (x in first until end) {
            val along = x + 0.5 - transform.origin.x
            val u = along * stepX + down * stepY
            val v = down * stepX - along * stepY
            if (!(u >= 0.0 && u < 1.0 && v >= 0.0 && v < 1.0)) continue
            val across = max(0.0, min(last, u * side - 0.5))
            val below = max(0.0, min(last, v * side - 0.5))
            val column = min(across.toInt(), side - 2)
            val line = min(below.toInt(), side - 2)
            if (active[line * side + column]) {
                val before = target[start + x]
                val cell = line * side + column
                target[start + x] = pixel(x, y, u, v, cell, (across - column).toFloat(), (below - line).toFloat(), before)
            }
        }
    }

    /** The pixel at ([x], [y]), ([u], [v]) in the crop, from the four cells of which [cell] is the first. */
    private fun pixel(x: Int, y: Int, u: Double, v: Double, cell: Int, s: Float, t: Float, before: Int): Int {
        val at = cell * Overlay.PLANES
        val right = field(at, s, t)
        val down = field(at + 1, s, t)
        val mask = field(at + Overlay.MASK, s, t)
        if (right == 0f && down == 0f && !(mask > 0f)) return before
        reader.read(x + axis.x * right - axis.y * down, y + axis.y * right + axis.x * down)
        if (!(mask > 0f)) return opaque(level(reader.red), level(reader.green), level(reader.blue))
        val fine = luma(reader.red, reader.green, reader.blue) - low(u + right, v + down)
        val detail = field(at + Overlay.DETAIL, s, t) * fine
        val share = field(at + Overlay.SHARE, s, t)
        return painted(at + Overlay.PAINT, u, v, s, t, mask, detail, share)
    }

    private fun painted(at: Int, u: Double, v: Double, s: Float, t: Float, mask: Float, detail: Float, share: Float): Int {
        val after = overlay.after
        val size = overlay.afterSide
        val across = max(0.0, min(size - 1.0, u * size - 0.5))
        val below = max(0.0, min(size - 1.0, v * size - 0.5))
        val column = min(across.toInt(), size - 2)
        val line = min(below.toInt(), size - 2)
        val from = (line * size + column) * CHANNELS
        val p = (across - column).toFloat()
        val q = (below - line).toFloat()
        val down = size * CHANNELS
        val red = between(after, from, CHANNELS, down, p, q) * share + field(at, s, t)
        val green = between(after, from + 1, CHANNELS, down, p, q) * share + field(at + 1, s, t)
        val blue = between(after, from + 2, CHANNELS, down, p, q) * share + field(at + 2, s, t)
        return opaque(
            covered(reader.red, red, mask, detail), covered(reader.green, green, mask, detail), covered(reader.blue, blue, mask, detail),
        )
    }

    private fun covered(photo: Float, content: Float, mask: Float, detail: Float): Int {
        val paint = (max(-1f, min(1f, content)) + 1f) * 127.5f + detail
        return level(photo + mask * (paint - photo))
    }

    private fun low(u: Double, v: Double): Float {
        val across = max(0.0, min(last, u * side - 0.5))
        val below = max(0.0, min(last, v * side - 0.5))
        val column = min(across.toInt(), side - 2)
        val line = min(below.toInt(), side - 2)
        return between(overlay.low, line * side + column, 1, side, (across - column).toFloat(), (below - line).toFloat())
    }

    private fun field(at: Int, s: Float, t: Float): Float = between(cells, at, Overlay.PLANES, side * Overlay.PLANES, s, t)
}

/** Between four numbers of [values], the first at [at], the others [right] and [down] of it. */
private fun between(values: FloatArray, at: Int, right: Int, down: Int, s: Float, t: Float): Float {
    val above = values[at] + (values[at + right] - values[at]) * s
    val below = values[at + down] + (values[at + down + right] - values[at + down]) * s
    return above + (below - above) * t
}

/** Half a level and more is rounded up. */
private fun level(value: Float): Int = max(0, min(255, floor(value + 0.5f).toInt()))

/** Reads a photo between its pixels by the cubic of Catmull and Rom 1974; beyond its edges its outermost pixels go on. */
private class CubicReader(photo: PixelImage) {
    private val pixels = photo.argb
    private val width = photo.width
    private val lastColumn = photo.width - 1
    private val lastRow = photo.height - 1

    /** What was read last, 0 to 255 and a little beyond. */
    var red = 0f
    var green = 0f
    var blue = 0f

    /** Reads at ([x], [y]) from the centre of the first pixel. */
    fun read(x: Double, y: Double) {
        val column = floor(x).toInt()
        val row = floor(y).toInt()
        val s = (x - column).toFloat()
        val t = (y - row).toFloat()
        val across = s * s
        val w0 = s * (-0.5f + s * (1f - 0.5f * s))
        val w1 = 1f + across * (1.5f * s - 2.5f)
        val w2 = s * (0.5f + s * (2f - 1.5f * s))
        val w3 = across * (0.5f * s - 0.5f)
        val first = max(0, min(lastColumn, column - 1))
        val second = max(0, min(lastColumn, column))
        val third = max(0, min(lastColumn, column + 1))
        val fourth = max(0, min(lastColumn, column + 2))
        var r = 0f
        var g = 0f
        var b = 0f
        eachLine(row, t) { start, weight ->
            val p = pixels[start + first]
            val q = pixels[start + second]
            val m = pixels[start + third]
            val n = pixels[start + fourth]
            r += (p.red * w0 + q.red * w1 + m.red * w2 + n.red * w3) * weight
            g += (p.green * w0 + q.green * w1 + m.green * w2 + n.green * w3) * weight
            b += (p.blue * w0 + q.blue * w1 + m.blue * w2 + n.blue * w3) * weight
        }
        red = r
        green = g
        blue = b
    }

    /** Calls [add] with start and weight of the four lines around a place [t] below [row]. */
    private inline fun eachLine(row: Int, t: Float, add: (start: Int, weight: Float) -> Unit) {
        val square = t * t
        add(max(0, min(lastRow, row - 1)) * width, t * (-0.5f + t * (1f - 0.5f * t)))
        add(max(0, min(lastRow, row)) * width, 1f + square * (1.5f * t - 2.5f))
        add(max(0, min(lastRow, row + 1)) * width, t * (0.5f + t * (2f - 1.5f * t)))
        add(max(0, min(lastRow, row + 2)) * width, square * (0.5f * t - 0.5f))
    }
}

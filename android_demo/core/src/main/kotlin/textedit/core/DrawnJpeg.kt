package textedit.core

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

/**
 * An edit that is drawn on a JPEG's own pixels. What the drawing changes is added to the stored numbers; one unit of blocks at a time is
 * drawn, so that memory does not grow with the face.
 */
internal class DrawnJpeg(private val face: DrawnFace, private val toUpright: Affine, private val samplings: List<Sampling>) : JpegChange {
    private class Tile(val stored: Box, val upright: PhotoPart, val before: PixelImage, val after: PixelImage)

    // The blocks of all components over one of these share a tile.
    private val unitWidth = (JpegBlock.SIDE * samplings.maxOf { it.across }).toInt()
    private val unitHeight = (JpegBlock.SIDE * samplings.maxOf { it.down }).toInt()
    private var tile: Tile? = null

    override fun touches(component: Int, x: Int, y: Int): Boolean {
        val (across, down) = samplings[component]
        val end = JpegBlock.SIDE
        return inside(upright(x * across, y * down, (x + end) * across, (y + end) * down)) != null
    }

    override fun gains(component: Int, x: Int, y: Int, levels: () -> FloatArray, gains: FloatArray) {
        val (across, down) = samplings[component]
        for (at in gains.indices) {
            val column = x + at % JpegBlock.SIDE
            val row = y + at / JpegBlock.SIDE
            val left = floor(column * across).toInt()
            val top = floor(row * down).toInt()
            val right = max(left + 1, floor((column + 1) * across).toInt())
            val bottom = max(top + 1, floor((row + 1) * down).toInt())
            var sum = 0f
            for (storedY in top until bottom) for (storedX in left until right) sum += gain(component, storedX, storedY)
            gains[at] = sum / ((right - left) * (bottom - top))
        }
    }

    /** What a component gains at one stored pixel. */
    private fun gain(component: Int, x: Int, y: Int): Float {
        val tile = tileAt(x, y) ?: return 0f
        val column = floor(toUpright.a * (x + 0.5) + toUpright.b * (y + 0.5) + toUpright.c).toInt() - tile.upright.left
        val row = floor(toUpright.d * (x + 0.5) + toUpright.e * (y + 0.5) + toUpright.f).toInt() - tile.upright.top
        if (column < 0 || row < 0 || column >= tile.upright.width || row >= tile.upright.height) return 0f
        val at = row * tile.upright.width + column
        val before = tile.before.argb[at]
        val after = tile.after.argb[at]
        return if (before == after) 0f else jfif(component, after) - jfif(component, before)
    }

    private fun tileAt(x: Int, y: Int): Tile? {
        tile?.let { if (x >= it.stored.left && x < it.stored.right && y >= it.stored.top && y < it.stored.bottom) return it }
        val (left, top) = x / unitWidth * unitWidth to y / unitHeight * unitHeight
        val stored = Box(left, top, left + unitWidth, top + unitHeight)
        val part = inside(upright(left.toDouble(), top.toDouble(), stored.right.toDouble(), stored.bottom.toDouble())) ?: return null
        val before = face.before(part)
        return Tile(stored, part, before, face.onto(part, before)).also { tile = it }
    }

    /** What of a part may change; null where nothing. */
    private fun inside(part: PhotoPart): PhotoPart? {
        val changed = face.changed
        val (left, top) = max(part.left, changed.left) to max(part.top, changed.top)
        val (right, bottom) = min(part.right, changed.right) to min(part.bottom, changed.bottom)
        return if (left < right && top < bottom) PhotoPart(left, top, right, bottom) else null
    }

    private fun upright(left: Double, top: Double, right: Double, bottom: Double): PhotoPart {
        val x = listOf(left, right).flatMap { x -> listOf(top, bottom).map { toUpright.a * x + toUpright.b * it + toUpright.c } }
        val y = listOf(left, right).flatMap { x -> listOf(top, bottom).map { toUpright.d * x + toUpright.e * it + toUpright.f } }
        return PhotoPart(floor(x.min()).toInt(), floor(y.min()).toInt(), ceil(x.max()).toInt(), ceil(y.max()).toInt())
    }
}

package textedit.core

import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

/**
 * What the compositor looks at; what depends on the photo and its face alone is computed once.
 *
 * @param side M: the side of what the compositor takes, of which the sides of [face] and of the decodes are multiples.
 * @param face the crop of the photo as the encoder takes it, S pixels a side.
 * @param before float32 [1,3,R,R], the decode without an edit; kept at M pixels a side.
 */
class Guides(private val side: Int, pixels: PixelSpec, face: PixelImage, before: FloatArray) {
    private val unedited = averaged(pixels.toTensor(face), side) + averaged(before, side)
    private val low = boxMeans(FloatArray(face.argb.size) { luma(face.argb[it]) }, 0, face.width, side, FloatArray(side * side), 0)

    /** The compositor's input float32 [1,9,M,M] for [after], the decode float32 [1,3,R,R] after an edit. */
    fun with(after: FloatArray): FloatArray = unedited + averaged(after, side)

    /** What an edit does, by the compositor's answer [fields] float32 [1,8,M,M] and the decode [after] float32 [1,3,R,R]. */
    fun overlay(fields: FloatArray, after: FloatArray): Overlay = Overlay(side, fields, low, after)

    internal companion object {
        const val PLANES = 3 * CHANNELS

        private fun averaged(planes: FloatArray, side: Int): FloatArray {
            val (from, plane) = sideOf(planes) to side * side
            val clamped = FloatArray(planes.size) { planes[it].coerceIn(-1f, 1f) }
            val means = FloatArray(CHANNELS * plane)
            for (channel in 0 until CHANNELS) boxMeans(clamped, channel * from * from, from, side, means, channel * plane)
            return means
        }

        /** Means of boxes of a square plane of side [from], as a plane of [side]. */
        private fun boxMeans(values: FloatArray, start: Int, from: Int, side: Int, into: FloatArray, offset: Int): FloatArray {
            val cell = from / side
            require(cell * side == from) { "$from pixels a side are no multiple of the compositor's $side" }
            for (at in 0 until side * side) {
                val first = start + at / side * cell * from + at % side * cell
                var sum = 0f
                for (y in 0 until cell) for (x in 0 until cell) sum += values[first + y * from + x]
                into[offset + at] = sum / (cell * cell)
            }
            return into
        }
    }
}

/** What one edit does to one photo, in its crop; [Guides.overlay] makes it and [compose] draws it. */
class Overlay internal constructor(internal val side: Int, fields: FloatArray, internal val low: FloatArray, decode: FloatArray) {
    /** Eight numbers a cell: motion right and down in fractions of the crop's side, mask, detail, share, paint. */
    internal val cells: FloatArray

    /** The decode after the edit, -1 to 1: three numbers a pixel. */
    internal val after: FloatArray
    internal val afterSide = sideOf(decode)

    /** By the first of four cells that lie together, whether anything changes between them. */
    internal val active: BooleanArray

    /** The part of the unit square in which anything may change; empty where nothing does. */
    private val reach: Reach?

    init {
        val plane = side * side
        require(side > 1 && afterSide > 1 && fields.size == PLANES * plane) { "${fields.size} numbers are no answer for a side of $side" }
        cells = FloatArray(fields.size) { at ->
            val value = fields[at % PLANES * plane + at / PLANES]
            if (at % PLANES < MASK) value * FLOW_UNIT else value
        }
        after = FloatArray(decode.size) { decode[it % CHANNELS * afterSide * afterSide + it / CHANNELS].coerceIn(-1f, 1f) }
        val changes = BooleanArray(plane) { cells[PLANES * it] != 0f || cells[PLANES * it + 1] != 0f || cells[PLANES * it + MASK] > 0f }
        active = BooleanArray(plane) { at ->
            val (x, y) = at % side to at / side
            x < side - 1 && y < side - 1 && (changes[at] || changes[at + 1] || changes[at + side] || changes[at + side + 1])
        }
        reach = Reach.of(active, side)
    }

    /** The whole pixels of a photo of [width] x [height] that may change. */
    internal fun changed(crop: CropTransform, width: Int, height: Int): Box =
        reach?.bounds(crop, margin = Point(0.0, 0.0))?.clippedTo(width, height) ?: Box(0, 0, 0, 0)

    /** The pixels of the photo from which those of [changed] are made. */
    internal fun needed(crop: CropTransform, width: Int, height: Int): Box {
        var (right, down) = 0.0 to 0.0
        for (at in cells.indices step PLANES) {
            val moved = crop.axis * cells[at].toDouble() + crop.axis.turned() * cells[at + 1].toDouble()
            right = max(right, abs(moved.x))
            down = max(down, abs(moved.y))
        }
        val margin = Point(right + TAPS_BEYOND, down + TAPS_BEYOND)
        return reach?.bounds(crop, margin)?.clippedTo(width, height) ?: Box(0, 0, 0, 0)
    }

    private class Reach(val left: Double, val top: Double, val right: Double, val bottom: Double) {
        fun bounds(crop: CropTransform, margin: Point): Bounds {
            val corners = listOf(left to top, right to top, left to bottom, right to bottom).map { (x, y) -> crop.toPhoto(Point(x, y)) }
            return Bounds(
                corners.minOf { it.x } - margin.x, corners.minOf { it.y } - margin.y,
                corners.maxOf { it.x } + margin.x, corners.maxOf { it.y } + margin.y,
            )
        }

        companion object {
            fun of(active: BooleanArray, side: Int): Reach? {
                val found = active.indices.filter { active[it] }.ifEmpty { return null }
                // Beside the outermost cells' centres they go on to the edge.
                fun start(cell: Int) = if (cell == 0) 0.0 else (cell + 0.5) / side
                fun end(cell: Int) = min(1.0, if (cell == side - 2) 1.0 else (cell + 1.5) / side)
                return Reach(
                    start(found.minOf { it % side }), start(found.minOf { it / side }),
                    end(found.maxOf { it % side }), end(found.maxOf { it / side }),
                )
            }
        }
    }

    internal companion object {
        const val PLANES = 8
        const val MASK = 2
        const val DETAIL = 3
        const val SHARE = 4
        const val PAINT = 5

        /** What the numbers of the motion mean, in fractions of the crop's side. */
        private const val FLOW_UNIT = 0.1f

        /** Pixels that the cubic reads beyond a position. */
        private const val TAPS_BEYOND = 2.0
    }
}

internal const val CHANNELS = 3

/** ITU-R BT.601 on sRGB bytes, 0 to 255. */
internal fun luma(pixel: Int): Float = luma(pixel.red.toFloat(), pixel.green.toFloat(), pixel.blue.toFloat())

internal fun luma(red: Float, green: Float, blue: Float): Float = 0.299f * red + 0.587f * green + 0.114f * blue

/** Side of three square planes, one after the other. */
private fun sideOf(planes: FloatArray): Int {
    val side = Math.round(sqrt(planes.size / CHANNELS.toDouble())).toInt()
    require(side > 0 && planes.size == CHANNELS * side * side) { "${planes.size} numbers are not three square planes" }
    return side
}

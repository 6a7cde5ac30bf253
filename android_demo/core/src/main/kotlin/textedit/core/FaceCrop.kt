package textedit.core

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

// Pixels of context around the crop for the bicubic kernel.
internal const val CONTEXT = 3

// Width of the soft rim of a pasted crop, as a fraction of its side.
private const val FEATHER = 0.1

/** Cuts a square of [size] pixels out of a photo. Where it leaves the photo, the photo is mirrored at its edge. */
fun cropFace(photo: PixelImage, transform: CropTransform, size: Int): PixelImage {
    // Shrinking before padding bounds the memory by the crop's size, whatever the size of the photo.
    val shrink = min(1.0, size / transform.side)
    val wanted = Bounds.of(transform, CONTEXT / shrink)
    val box = wanted.clippedTo(photo)
    val width = max(1, ceil(box.width * shrink).toInt())
    val height = max(1, ceil(box.height * shrink).toInt())
    val scaleX = width.toDouble() / box.width
    val scaleY = height.toDouble() / box.height
    val left = padding(box.left - wanted.left, scaleX)
    val top = padding(box.top - wanted.top, scaleY)
    val region = photo.resized(width, height, box)
        .mirrored(left, top, padding(wanted.right - box.right, scaleX), padding(wanted.bottom - box.bottom, scaleY))
    val offset = Point(box.left - left / scaleX, box.top - top / scaleY)
    return region.warped(size, size, cropToRegion(transform, size, offset, scaleX, scaleY))
}

/**
 * Blends an edited crop into its photo with a soft rim; pixels outside the crop keep their bytes.
 *
 * @param editedCrop a square of any side.
 * @param reconstruction the unedited crop as the networks see it. If given, the photo receives the change from reconstruction to edit
 *   instead of the edit itself: what the networks cannot draw (background, pores, glasses) survives, at the price of ghosts where an edit
 *   moves things far.
 * @return a new picture of the photo's size.
 */
fun pasteBack(photo: PixelImage, editedCrop: PixelImage, transform: CropTransform, reconstruction: PixelImage? = null): PixelImage {
    val result = photo.copy()
    val box = Bounds.of(transform, context = 0.0).clippedTo(photo)
    if (box.isEmpty) return result
    val edited = editedCrop.warpedInto(transform, box)
    val unedited = reconstruction?.warpedInto(transform, box)
    val mask = featheredMask(editedCrop.width).warpedInto(transform, box)
    for (at in edited.argb.indices) {
        val target = (box.top + at / box.width) * photo.width + box.left + at % box.width
        val before = photo.argb[target]
        val after = if (unedited == null) edited.argb[at] else shifted(before, edited.argb[at], unedited.argb[at])
        result.argb[target] = blended(before, after, mask.argb[at].blue)
    }
    return result
}

internal class Bounds(val left: Double, val top: Double, val right: Double, val bottom: Double) {
    fun clippedTo(photo: PixelImage) = clippedTo(photo.width, photo.height)

    fun clippedTo(width: Int, height: Int) = Box(
        max(0, floor(left).toInt()),
        max(0, floor(top).toInt()),
        min(width, ceil(right).toInt()),
        min(height, ceil(bottom).toInt()),
    )

    companion object {
        fun of(transform: CropTransform, context: Double): Bounds {
            val corners = listOf(Point(0.0, 0.0), Point(1.0, 0.0), Point(0.0, 1.0), Point(1.0, 1.0)).map(transform::toPhoto)
            return Bounds(
                corners.minOf { it.x } - context, corners.minOf { it.y } - context,
                corners.maxOf { it.x } + context, corners.maxOf { it.y } + context,
            )
        }
    }
}

private fun padding(missing: Double, scale: Double): Int = ceil(max(0.0, missing) * scale).toInt()

private fun PixelImage.mirrored(left: Int, top: Int, right: Int, bottom: Int): PixelImage {
    if (maxOf(left, top, right, bottom) == 0) return this
    val columns = IntArray(left + width + right) { mirroredIndex(it - left, width) }
    val rows = IntArray(top + height + bottom) { mirroredIndex(it - top, height) }
    return PixelImage(columns.size, rows.size, IntArray(columns.size * rows.size) { at ->
        argb[rows[at / columns.size] * width + columns[at % columns.size]]
    })
}

private fun mirroredIndex(index: Int, size: Int): Int {
    val folded = Math.floorMod(index, 2 * size)
    return if (folded < size) folded else 2 * size - 1 - folded
}

/** Crop pixel to region pixel: first to the photo, then into the region, which begins at [offset]. */
private fun cropToRegion(transform: CropTransform, size: Int, offset: Point, scaleX: Double, scaleY: Double): Affine {
    val axis = transform.axis * (1.0 / size)
    val origin = transform.origin - offset
    return Affine(scaleX * axis.x, -scaleX * axis.y, scaleX * origin.x, scaleY * axis.y, scaleY * axis.x, scaleY * origin.y)
}

/** A square, reduced where it has more pixels a side than the [side] under it. */
internal fun PixelImage.notLargerThan(side: Double): PixelImage {
    val reduced = max(1, Math.rint(side).toInt())
    return if (side < width) resized(reduced, reduced) else this
}

/** Resamples a crop onto the photo's pixel grid within [box]; black outside the crop. */
private fun PixelImage.warpedInto(transform: CropTransform, box: Box): PixelImage {
    val crop = notLargerThan(transform.side)
    val axis = transform.axis * (crop.width / (transform.side * transform.side))
    val start = Point(box.left.toDouble(), box.top.toDouble()) - transform.origin
    val mapping = Affine(
        axis.x, axis.y, axis.x * start.x + axis.y * start.y,
        -axis.y, axis.x, axis.x * start.y - axis.y * start.x,
    )
    return crop.warped(box.width, box.height, mapping)
}

/** Opacity of a pasted crop as grey: 0 at the rim, 255 from [FEATHER] inwards, with a smooth ramp between. */
internal fun featheredMask(side: Int): PixelImage {
    val ramp = DoubleArray(side) { feather((it + 0.5) / side) }
    return PixelImage(side, side, IntArray(side * side) {
        val grey = Math.rint(255 * (ramp[it / side] * ramp[it % side])).toInt()
        opaque(grey, grey, grey)
    })
}

/** Opacity 0 to 1 in one direction at [position] 0 to 1 of a crop's side. */
internal fun feather(position: Double): Double {
    val linear = (min(position, 1 - position) / FEATHER).coerceIn(0.0, 1.0)
    return linear * linear * (3 - 2 * linear)
}

private inline fun byChannel(channel: (shift: Int) -> Int): Int = opaque(channel(16), channel(8), channel(0))

private fun shifted(photo: Int, edited: Int, unedited: Int): Int = byChannel { shift ->
    ((photo shr shift and 0xFF) + (edited shr shift and 0xFF) - (unedited shr shift and 0xFF)).coerceIn(0, 255)
}

private fun blended(below: Int, above: Int, opacity: Int): Int = byChannel { shift ->
    val sum = (below shr shift and 0xFF) * (255 - opacity) + (above shr shift and 0xFF) * opacity + 128
    // The exact rounded quotient by 255 without a division.
    sum + (sum shr 8) shr 8
}

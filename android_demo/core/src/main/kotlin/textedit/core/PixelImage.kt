package textedit.core

/**
 * An opaque sRGB picture: [argb] holds one `0xAARRGGBB` per pixel, row by row, as `Bitmap.getPixels` gives them. Alpha is ignored.
 *
 * @throws IllegalArgumentException the array does not have width * height pixels.
 */
class PixelImage(val width: Int, val height: Int, val argb: IntArray) {
    init {
        val fits = width > 0 && height > 0 && argb.size.toLong() == width.toLong() * height
        require(fits) { "$width x $height pixels in an array of ${argb.size}" }
    }

    fun copy(): PixelImage = PixelImage(width, height, argb.copyOf())
}

internal fun opaque(red: Int, green: Int, blue: Int): Int = (0xFF shl 24) or (red shl 16) or (green shl 8) or blue

internal val Int.red: Int get() = this shr 16 and 0xFF
internal val Int.green: Int get() = this shr 8 and 0xFF
internal val Int.blue: Int get() = this and 0xFF

/**
 * The picture as a network takes it: float32 [3,S,S], channels first, in minimum..maximum.
 *
 * @throws IllegalArgumentException [image] is not a square of side `size` ([cropFace] makes one).
 */
fun PixelSpec.toTensor(image: PixelImage): FloatArray {
    require(image.width == size && image.height == size) { "expected $size x $size pixels, got ${image.width} x ${image.height}" }
    val scale = (maximum.toDouble() - minimum.toDouble()).div(255.0).toFloat()
    val plane = size * size
    val values = FloatArray(3 * plane)
    for (at in 0 until plane) {
        val pixel = image.argb[at]
        values[at] = pixel.red * scale + minimum
        values[plane + at] = pixel.green * scale + minimum
        values[2 * plane + at] = pixel.blue * scale + minimum
    }
    return values
}

/**
 * A network's picture [3,R,R] of any side as pixels: clamped to minimum..maximum, rounded half to even.
 *
 * @throws IllegalArgumentException [values] are not three square planes.
 */
fun PixelSpec.toImage(values: FloatArray): PixelImage {
    val plane = values.size / 3
    val side = Math.round(Math.sqrt(plane.toDouble())).toInt()
    require(values.size == 3 * side * side) { "${values.size} numbers are not three square planes" }
    fun byte(at: Int) = byteOf(values[at])
    return PixelImage(side, side, IntArray(plane) { opaque(byte(it), byte(plane + it), byte(2 * plane + it)) })
}

private fun PixelSpec.byteOf(value: Float): Int {
    val unit = ((value - minimum) / (maximum - minimum)).coerceIn(0f, 1f)
    return Math.rint((unit * 255f).toDouble()).toInt()
}

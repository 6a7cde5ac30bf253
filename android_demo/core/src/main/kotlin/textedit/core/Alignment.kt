package textedit.core

import kotlin.math.hypot
import kotlin.math.max
import kotlin.math.min

/** A position or direction in pixels, x to the right and y down. */
data class Point(val x: Double, val y: Double) {
    val length: Double get() = hypot(x, y)

    operator fun plus(other: Point) = Point(x + other.x, y + other.y)

    operator fun minus(other: Point) = Point(x - other.x, y - other.y)

    operator fun times(factor: Double) = Point(x * factor, y * factor)

    /** Turned by 90 degrees, from x to y. */
    fun turned() = Point(-y, x)
}

/** Five points of one face in pixels of its photo, left and right as seen in the picture. */
data class Landmarks(val leftEye: Point, val rightEye: Point, val nose: Point, val leftMouth: Point, val rightMouth: Point) {
    internal val named: List<Pair<String, Point>> get() = NAMES.zip(listOf(leftEye, rightEye, nose, leftMouth, rightMouth))

    companion object {
        val NAMES = listOf("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
    }
}

/**
 * Where a crop lies relative to eyes and mouth, after the construction of the FFHQ data set (Karras et al. 2019, appendix A).
 *
 * @property eyeFactor half the crop's side in distances between the eyes.
 * @property mouthFactor half the crop's side in distances from eyes to mouth; the larger of the two counts.
 * @property margin factor on that size.
 * @property drop distance of the crop's centre below the eyes, in distances from eyes to mouth.
 */
data class CropRule(val eyeFactor: Double, val mouthFactor: Double, val margin: Double, val drop: Double)

/** Landmarks that are not those of a face in the photo; the message says what is wrong with them. */
class LandmarkException(message: String) : Exception(message)

/**
 * A similarity from the crop, as the unit square with y down, to photo pixels.
 *
 * @property origin photo position of the crop's top left corner.
 * @property axis photo vector along the crop's top edge; its length is the crop's side.
 */
data class CropTransform(val origin: Point, val axis: Point) {
    /** Side of the crop in photo pixels. */
    val side: Double get() = axis.length

    /** Maps a point of the unit crop to photo pixels. */
    fun toPhoto(point: Point): Point = origin + axis * point.x + axis.turned() * point.y

    /** Maps photo pixels to a point of the unit crop. */
    fun toCrop(point: Point): Point {
        val offset = point - origin
        val scale = 1 / (side * side)
        return Point(offset.x * axis.x + offset.y * axis.y, offset.y * axis.x - offset.x * axis.y) * scale
    }

    /** The same crop in a photo whose sides are [factor] times as long. */
    fun scaled(factor: Double) = CropTransform(origin * factor, axis * factor)

    companion object {
        /** The largest central square, for a photo without a face that could be found. */
        fun centralSquare(width: Int, height: Int): CropTransform {
            val side = min(width, height)
            return CropTransform(Point(((width - side) / 2).toDouble(), ((height - side) / 2).toDouble()), Point(side.toDouble(), 0.0))
        }

        /**
         * The square that [rule] lays around a face.
         *
         * @throws LandmarkException landmarks outside the photo, swapped, or too close together to give a direction.
         */
        fun aroundFace(landmarks: Landmarks, width: Int, height: Int, rule: CropRule): CropTransform {
            landmarks.requireInside(width, height)
            val eyes = (landmarks.leftEye + landmarks.rightEye) * 0.5
            val across = landmarks.rightEye - landmarks.leftEye
            val down = (landmarks.leftMouth + landmarks.rightMouth) * 0.5 - eyes
            requireDirections(across, down)
            val half = rule.margin * max(rule.eyeFactor * across.length, rule.mouthFactor * down.length)
            if (2 * half > MAX_CROP_TO_PHOTO * max(width, height)) {
                throw LandmarkException("landmarks ask for a crop of ${(2 * half).toInt()} px in a photo of ${width}x$height; check them")
            }
            // Minus the turned vector from eyes to mouth: both terms point to the right of an upright face.
            val direction = across - down.turned()
            val axis = direction * (half / direction.length)
            return CropTransform(eyes + down * rule.drop - axis - axis.turned(), axis * 2.0)
        }
    }
}

// A distance below this many pixels leaves the direction of the face to rounding errors.
private const val MIN_DISTANCE = 2.0

// A face can reach beyond its photo, but a crop this many times larger than the photo is a mistake in the landmarks.
private const val MAX_CROP_TO_PHOTO = 3.0

private fun Landmarks.requireInside(width: Int, height: Int) {
    for ((name, point) in named) {
        if (point.x !in 0.0..width.toDouble() || point.y !in 0.0..height.toDouble()) {
            throw LandmarkException("landmark $name at ${point.x},${point.y} lies outside the photo of ${width}x$height px")
        }
    }
}

private fun requireDirections(across: Point, down: Point) {
    if (min(across.length, down.length) < MIN_DISTANCE) {
        throw LandmarkException("landmarks coincide: eyes ${across.length} px apart, mouth ${down.length} px below; are they of one face?")
    }
    // The mouth lies clockwise of the line from the left to the right eye, however the head is turned.
    if (across.x * down.y - across.y * down.x <= 0) {
        throw LandmarkException("landmarks are swapped: left and right are meant as seen in the picture; exchange the eyes")
    }
}

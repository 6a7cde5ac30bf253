package textedit.core

import java.io.File
import java.io.IOException
import java.io.InputStream

/** A photo as its system gives it. Calls come from several threads and may be slow. */
interface PhotoSource {
    /** Sides of the photo as it is seen, at full size in pixels. */
    val width: Int
    val height: Int

    /**
     * A part of the photo in sRGB, upright, reduced where it has more pixels.
     *
     * @param part in pixels of the whole photo, inside of it.
     * @param longerSide at most this many pixels.
     * @throws IOException it cannot be read.
     */
    fun pixels(part: PhotoPart, longerSide: Int): PixelImage

    /** The bytes of the photo's file. @throws IOException it cannot be opened. */
    fun open(): InputStream

    /**
     * Writes the photo anew at full size with the system's own encoder. Asked for where the file cannot be edited as it is.
     *
     * @param target a file to be written or overwritten.
     * @param changed takes pixels of a part and gives them as they shall be; parts are asked for one after the other.
     * @return what of the photo the new file does not have.
     * @throws IOException it cannot be read or written.
     */
    fun encode(target: File, changed: (part: PhotoPart, pixels: PixelImage) -> PixelImage): Set<Loss>
}

/** A box in pixels of a photo; right and bottom are exclusive. */
data class PhotoPart(val left: Int, val top: Int, val right: Int, val bottom: Int) {
    val width: Int get() = right - left
    val height: Int get() = bottom - top
}

/** What a saved picture lacks of its photo. */
enum class Loss {
    /** The file is of another format than the photo. */
    FORMAT,

    /** All of the picture was compressed again, also where nothing was edited. */
    COMPRESSED_AGAIN,

    /** Colours that sRGB cannot show. */
    WIDE_COLOUR,

    /** The brightness of a high dynamic range. */
    GAIN_MAP,

    /** Date, place, camera. */
    METADATA,
}

/** What became of a photo that was saved. */
data class Saved(val losses: Set<Loss>)

/** Finds faces. An app with a detector of its own puts it behind this. */
fun interface FaceDetector {
    /**
     * Five points of every face in [picture], in its pixels.
     *
     * @throws FaceDetectionException the detector failed, which is not the same as finding no face.
     */
    suspend fun faces(picture: PixelImage): List<Landmarks>
}

/** The detector failed. */
class FaceDetectionException(cause: Exception) : Exception(cause.message, cause)

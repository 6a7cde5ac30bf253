package textedit.demo

import android.graphics.Bitmap
import com.google.mlkit.vision.common.InputImage
import com.google.mlkit.vision.face.Face
import com.google.mlkit.vision.face.FaceDetection
import com.google.mlkit.vision.face.FaceDetectorOptions
import com.google.mlkit.vision.face.FaceLandmark
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.suspendCancellableCoroutine
import textedit.core.CropRule
import textedit.core.CropTransform
import textedit.core.LandmarkException
import textedit.core.Landmarks
import textedit.core.Point

/** The detector failed, which is not the same as finding no face. */
class FaceDetectionException(cause: Exception) : Exception(cause.message, cause)

/** Finds the face to edit. An app with a detector of its own puts it behind this. */
fun interface FaceAligner {
    /** Five points of the largest face in pixels of [photo], null where no face is found. @throws FaceDetectionException */
    suspend fun landmarks(photo: Bitmap): Landmarks?
}

/** Where the crop lies, and whether a face was found for it. */
data class Alignment(val transform: CropTransform, val foundFace: Boolean)

/** The crop around the face that was found; the central square where there is none, or its points make no sense. */
suspend fun FaceAligner.align(photo: Bitmap, rule: CropRule): Alignment {
    val around = landmarks(photo)?.let {
        try {
            CropTransform.aroundFace(it, photo.width, photo.height, rule)
        } catch (_: LandmarkException) {
            null
        }
    }
    return Alignment(around ?: CropTransform.centralSquare(photo.width, photo.height), foundFace = around != null)
}

/** ML Kit with the model that comes with the app, so that it needs no connection. */
class MlKitFaceAligner : FaceAligner, AutoCloseable {
    private val detector = FaceDetection.getClient(
        FaceDetectorOptions.Builder()
            .setPerformanceMode(FaceDetectorOptions.PERFORMANCE_MODE_ACCURATE)
            .setLandmarkMode(FaceDetectorOptions.LANDMARK_MODE_ALL)
            .build(),
    )

    override suspend fun landmarks(photo: Bitmap): Landmarks? {
        // The detector needs no more pixels than this, and its time grows with them.
        val small = photo.fittedTo(DETECTION_SIDE)
        val largest = faces(small).maxByOrNull { it.boundingBox.width() * it.boundingBox.height() } ?: return null
        return landmarks(largest, photo.width.toDouble() / small.width, photo.height.toDouble() / small.height)
    }

    private suspend fun faces(photo: Bitmap): List<Face> = suspendCancellableCoroutine { continuation ->
        detector.process(InputImage.fromBitmap(photo, 0))
            .addOnSuccessListener { continuation.resume(it) }
            .addOnFailureListener { continuation.resumeWithException(FaceDetectionException(it)) }
    }

    /** ML Kit says left and right of the person, the contract as seen in the picture. */
    private fun landmarks(face: Face, scaleX: Double, scaleY: Double): Landmarks? {
        fun at(type: Int): Point? = face.getLandmark(type)?.position?.let { Point(it.x * scaleX, it.y * scaleY) }
        return Landmarks(
            leftEye = at(FaceLandmark.RIGHT_EYE) ?: return null,
            rightEye = at(FaceLandmark.LEFT_EYE) ?: return null,
            nose = at(FaceLandmark.NOSE_BASE) ?: return null,
            leftMouth = at(FaceLandmark.MOUTH_RIGHT) ?: return null,
            rightMouth = at(FaceLandmark.MOUTH_LEFT) ?: return null,
        )
    }

    override fun close() = detector.close()

    private companion object {
        const val DETECTION_SIDE = 1024
    }
}

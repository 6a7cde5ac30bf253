package textedit.demo

import com.google.mlkit.vision.common.InputImage
import com.google.mlkit.vision.face.Face
import com.google.mlkit.vision.face.FaceDetection
import com.google.mlkit.vision.face.FaceDetectorOptions
import com.google.mlkit.vision.face.FaceLandmark
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.suspendCancellableCoroutine
import textedit.core.FaceDetectionException
import textedit.core.FaceDetector
import textedit.core.Landmarks
import textedit.core.PixelImage
import textedit.core.Point

/** ML Kit with the model that comes with the app, so that it needs no connection. */
class MlKitFaceDetector : FaceDetector {
    private val detector = FaceDetection.getClient(
        FaceDetectorOptions.Builder()
            .setPerformanceMode(FaceDetectorOptions.PERFORMANCE_MODE_ACCURATE)
            .setLandmarkMode(FaceDetectorOptions.LANDMARK_MODE_ALL)
            .setMinFaceSize(SMALLEST_FACE)
            .build(),
    )

    override suspend fun faces(picture: PixelImage): List<Landmarks> = found(picture).mapNotNull(::landmarks)

    private suspend fun found(picture: PixelImage): List<Face> = suspendCancellableCoroutine { continuation ->
        detector.process(InputImage.fromBitmap(picture.toBitmap(), 0))
            .addOnSuccessListener { continuation.resume(it) }
            .addOnFailureListener { continuation.resumeWithException(FaceDetectionException(it)) }
    }

    /** ML Kit says left and right of the person, the contract as seen in the picture. */
    private fun landmarks(face: Face): Landmarks? {
        fun at(type: Int): Point? = face.getLandmark(type)?.position?.let { Point(it.x.toDouble(), it.y.toDouble()) }
        return Landmarks(
            leftEye = at(FaceLandmark.RIGHT_EYE) ?: return null,
            rightEye = at(FaceLandmark.LEFT_EYE) ?: return null,
            nose = at(FaceLandmark.NOSE_BASE) ?: return null,
            leftMouth = at(FaceLandmark.MOUTH_RIGHT) ?: return null,
            rightMouth = at(FaceLandmark.MOUTH_LEFT) ?: return null,
        )
    }

    private companion object {
        /** Width of a head as a share of the picture's: faces of a group are found as well. */
        const val SMALLEST_FACE = 0.03f
    }
}

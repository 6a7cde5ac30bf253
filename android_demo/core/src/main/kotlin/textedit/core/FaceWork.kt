package textedit.core

import kotlin.math.max
import kotlin.math.min
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext

/** What all photos of an editor share. */
internal class PhotoWork(val networks: FaceNetworks, val networkThread: CoroutineDispatcher, val rows: RowPool)

/** One chosen face of one photo. It is cut out and encoded once, when it is first needed. */
internal class FaceWork(
    private val source: PhotoSource,
    private val original: PixelImage,
    private val crop: CropTransform,
    private val work: PhotoWork,
) {
    /** [pasting] is null where the compositor draws on the photo. */
    private class Encoded(val session: EditSession, val reconstruction: PixelImage, val pasting: FacePasting?)

    private val onScreen = crop.scaled(original.width.toDouble() / source.width)

    private val encoding = Mutex()
    private var encoded: Encoded? = null

    /** The photo at the size of the screen after [step]. */
    suspend fun picture(step: EditStep): PixelImage {
        val face = encoded()
        if (face.pasting == null) {
            val overlay = face.session.draw(step.strengths())
            return withContext(Dispatchers.Default) { Composition(original, overlay, onScreen).picture(work.rows) }
        }
        val edited = face.session.render(step.strengths())
        return withContext(Dispatchers.Default) { face.pasting.paste(edited, step.keepDetail) }
    }

    /** What [step] does to the photo at full size; null where that is nothing. */
    suspend fun change(step: EditStep): FaceChange? {
        val face = encoded()
        if (face.pasting == null) return drawn(face.session.draw(step.strengths()))
        return PastedFace(crop, face.session.render(step.strengths()), face.reconstruction.takeIf { step.keepDetail })
    }

    private suspend fun drawn(overlay: Overlay): FaceChange? {
        val box = overlay.needed(crop, source.width, source.height)
        if (box.isEmpty) return null
        val part = PhotoPart(box.left, box.top, box.right, box.bottom)
        val pixels = withContext(Dispatchers.IO) { source.pixels(part, max(part.width, part.height)) }
        return DrawnFace(part, pixels, overlay, crop)
    }

    private suspend fun encoded(): Encoded = encoding.withLock {
        encoded ?: run {
            val face = withContext(Dispatchers.IO) { faceOf(source, crop, work.networks.pixels.size) }
            val session = EditSession(work.networks, work.networkThread)
            val reconstruction = checkNotNull(session.setFace(face) as? EditOutcome.Edited) { "another face came in between" }.face
            val pasting = if (work.networks.guideSide == null) FacePasting(original, onScreen, reconstruction, work.rows) else null
            Encoded(session, reconstruction, pasting).also { encoded = it }
        }
    }

    private companion object {
        // The face is read with this many times the pixels that the network takes, and reduced by the contract's own kernel.
        const val OVERSAMPLING = 4

        fun faceOf(source: PhotoSource, crop: CropTransform, size: Int): PixelImage {
            val shrink = min(1.0, OVERSAMPLING * size / crop.side)
            val box = Bounds.of(crop, context = CONTEXT / shrink).clippedTo(source.width, source.height)
            val part = PhotoPart(box.left, box.top, box.right, box.bottom)
            val pixels = source.pixels(part, max(1, Math.ceil(max(part.width, part.height) * shrink).toInt()))
            val scale = pixels.width.toDouble() / part.width
            return cropFace(pixels, crop.from(part.left, part.top).scaled(scale), size)
        }
    }
}

/** Prompts that come twice add up like any others. */
internal fun EditStep.strengths(): Map<String, Float> =
    edits.groupBy(Edit::prompt).mapValues { (_, same) -> same.map(Edit::strength).sum() }

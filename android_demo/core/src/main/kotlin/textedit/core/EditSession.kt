package textedit.core

import java.util.concurrent.atomic.AtomicLong
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext

/** What became of a face or an edit that was asked for. */
sealed interface EditOutcome {
    /** The face of side R. */
    data class Edited(val face: PixelImage) : EditOutcome

    /** A newer request came before the decoder began; its answer is the one to show. */
    data object Superseded : EditOutcome
}

/**
 * One photo's face: encoded once, edited many times.
 *
 * Networks run one at a time on [dispatcher]. The newest request wins: edits that wait are dropped when a newer edit or face comes, faces
 * when a newer face does. A decoder that has begun finishes, so that a slider in motion keeps showing pictures. Each prompt's delta_w is
 * computed once per face. Cancelling the caller's coroutine stops the work before the next network.
 */
class EditSession(private val networks: FaceNetworks, private val dispatcher: CoroutineDispatcher) {
    private val newestFace = AtomicLong()
    private val newestEdit = AtomicLong()

    // Guards the networks and the fields below; it is fair, so that requests run in the order in which they came.
    private val turn = Mutex()
    private var wPlus: FloatArray? = null
    private var guides: Guides? = null
    private val deltas = mutableMapOf<String, FloatArray>()

    /**
     * Takes a new face and forgets the one before.
     *
     * @param face a square of the side that the encoder takes ([cropFace] makes one).
     * @return the face as the networks see it, unedited.
     */
    suspend fun setFace(face: PixelImage): EditOutcome {
        val number = newestFace.incrementAndGet()
        return inTurn(isNewest = { number == newestFace.get() }) {
            wPlus = null
            guides = null
            deltas.clear()
            val latent = networks.encode(networks.pixels.toTensor(face))
            wPlus = latent
            ifNewest {
                val before = networks.decode(latent)
                guides = networks.guideSide?.let { Guides(it, networks.pixels, face, before) }
                EditOutcome.Edited(networks.pixels.toImage(before))
            }
        }
    }

    /**
     * Edits the face that was set last; several prompts add up.
     *
     * @param strengths factor on each prompt's delta_w by prompt id, within the prompt's range.
     * @throws IllegalStateException no face was set.
     * @throws IllegalArgumentException a strength is out of range.
     * @throws BundleException unknown prompt.
     */
    suspend fun edit(strengths: Map<String, Float>): EditOutcome {
        strengths.forEach { (id, strength) -> networks.prompt(id).strength.used(strength) }
        val face = newestFace.get()
        val number = newestEdit.incrementAndGet()
        return inTurn(isNewest = { face == newestFace.get() && number == newestEdit.get() }) {
            val edited = edited(strengths)
            ifNewest { decoded(edited) }
        }
    }

    /**
     * Edits as [edit] does, after all that was asked for before, and is never superseded: for who asks for the next picture when this one
     * is there.
     */
    suspend fun render(strengths: Map<String, Float>): PixelImage {
        strengths.forEach { (id, strength) -> networks.prompt(id).strength.used(strength) }
        return turn.withLock {
            withContext(dispatcher) {
                val edited = edited(strengths)
                currentCoroutineContext().ensureActive()
                decoded(edited).face
            }
        }
    }

    /**
     * What an edit does to the photo itself, for [compose]; waits and is superseded as [render].
     *
     * @throws IllegalStateException no face was set, or the bundle has no compositor.
     */
    suspend fun draw(strengths: Map<String, Float>): Overlay {
        strengths.forEach { (id, strength) -> networks.prompt(id).strength.used(strength) }
        return turn.withLock {
            withContext(dispatcher) {
                val edited = edited(strengths)
                val guides = checkNotNull(guides) { "this bundle has no compositor" }
                currentCoroutineContext().ensureActive()
                val after = networks.decode(edited)
                currentCoroutineContext().ensureActive()
                guides.overlay(networks.composite(guides.with(after)), after)
            }
        }
    }

    private suspend fun edited(strengths: Map<String, Float>): FloatArray {
        val latent = checkNotNull(wPlus) { "no face was set" }
        return strengths.entries.fold(latent) { sum, (id, strength) -> applyEdit(sum, delta(id, latent), strength) }
    }

    /** Runs [steps] after all that was asked for before, unless a newer request waits by then. */
    private suspend fun inTurn(isNewest: () -> Boolean, steps: suspend Request.() -> EditOutcome): EditOutcome {
        val request = Request(isNewest)
        return turn.withLock { withContext(dispatcher) { request.ifNewest { request.steps() } } }
    }

    private suspend fun delta(id: String, latent: FloatArray): FloatArray {
        currentCoroutineContext().ensureActive()
        return deltas.getOrPut(id) { networks.delta(id, latent) }
    }

    private fun decoded(latent: FloatArray) = EditOutcome.Edited(networks.pixels.toImage(networks.decode(latent)))

    private class Request(private val isNewest: () -> Boolean) {
        suspend fun ifNewest(step: suspend () -> EditOutcome): EditOutcome {
            currentCoroutineContext().ensureActive()
            return if (isNewest()) step() else EditOutcome.Superseded
        }
    }
}

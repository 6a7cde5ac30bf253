package textedit.core

import java.io.File
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.filterNotNull
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.takeWhile
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/**
 * A face that can be chosen.
 *
 * @property id its place in [EditablePhoto.faces], which begin with the largest.
 * @property landmarks in pixels of the whole photo; null for a square that the user drew.
 * @property crop the square that is edited, in the same pixels.
 */
data class Face(val id: Int, val landmarks: Landmarks?, val crop: CropTransform)

/** A finished picture at the size of the screen, and what it shows. */
class Preview(val picture: PixelImage, val step: EditStep)

/** An edit was asked for before a face was chosen. */
class NoFaceChosen : IllegalStateException("choose a face first, or draw a square around one")

/**
 * A photo on its way through the editor; [FaceEditor.photo] makes one.
 *
 * One loop makes the pictures: it takes the newest edit that was asked for, shows what it has finished, and takes the newest again. So
 * pictures come in order, none that is finished is thrown away, and the last one is that of the last edit.
 *
 * @property original the photo at the size of the screen.
 * @property faces all that were found, the largest first.
 */
class EditablePhoto internal constructor(
    private val source: PhotoSource,
    val original: PixelImage,
    val faces: List<Face>,
    private val work: PhotoWork,
    scope: CoroutineScope,
) {
    private class Request(val number: Long, val face: FaceWork?, val step: EditStep)

    private sealed class Outcome(val number: Long) {
        abstract fun preview(): Preview

        class Made(private val made: Preview, number: Long) : Outcome(number) {
            override fun preview() = made
        }

        class Failed(private val error: Exception, number: Long) : Outcome(number) {
            override fun preview() = throw error
        }

        data object Ended : Outcome(Long.MAX_VALUE) {
            override fun preview() = error("the stream has ended")
        }
    }

    private val lock = Any()
    private val requests = Channel<Request>(Channel.CONFLATED)
    private val outcomes = MutableStateFlow<Outcome?>(null)
    private val mutableWorking = MutableStateFlow(false)
    private val mutableHistory: MutableStateFlow<HistoryState>
    private val mutableChosen = MutableStateFlow<Face?>(null)
    private var steps = EditHistory()
    private var chosenWork: FaceWork? = null
    private var newest = 0L

    init {
        mutableHistory = MutableStateFlow(steps.state)
        scope.launch { for (request in requests) show(request) }.invokeOnCompletion { outcomes.value = Outcome.Ended }
    }

    /** Sides of the photo at full size, in pixels. */
    val width: Int get() = source.width
    val height: Int get() = source.height

    /** The face that edits go to. */
    val chosen: StateFlow<Face?> get() = mutableChosen.asStateFlow()

    /** The current step, and whether there are others around it. */
    val history: StateFlow<HistoryState> get() = mutableHistory.asStateFlow()

    /** True while the newest picture is being made. */
    val working: StateFlow<Boolean> get() = mutableWorking.asStateFlow()

    /**
     * Every finished picture in order, beginning with the last one there is; ends with [cancel]. What an edit throws, it throws, and can be
     * collected again.
     */
    val previews: Flow<Preview> get() = from(0)

    /** Edits [face] from here on; what was edited before is forgotten. */
    fun choose(face: Face) {
        synchronized(lock) {
            if (face == mutableChosen.value) return
            steps = EditHistory()
            chosenWork = FaceWork(source, original, face.crop, work)
            mutableChosen.value = face
            submit()
        }
    }

    /**
     * Edits what lies in a square that the user drew, in pixels of the whole photo.
     *
     * @throws IllegalArgumentException it has no side, or lies outside of the photo.
     */
    fun choose(square: PhotoPart) {
        val inside = square.left >= 0 && square.top >= 0 && square.right <= width && square.bottom <= height
        require(inside && square.width == square.height && square.width > 0) { "$square is no square in a photo of ${width}x$height" }
        val origin = Point(square.left.toDouble(), square.top.toDouble())
        choose(Face(DRAWN, null, CropTransform(origin, Point(square.width.toDouble(), 0.0))))
    }

    /**
     * Asks for a picture; returns at once. Several prompts add up. Where all strengths are 0 the picture is the photo itself.
     *
     * @param moving the slider is still held: moves that follow each other are one step of the history.
     * @param keepDetail see [EditStep]; of bundles without a compositor alone.
     * @return the pictures from this edit on; see [previews].
     * @throws NoFaceChosen no face was chosen.
     * @throws IllegalArgumentException a strength is out of its prompt's range.
     * @throws BundleException unknown prompt.
     */
    fun edit(edits: List<Edit>, moving: Boolean = false, keepDetail: Boolean = true): Flow<Preview> {
        val step = EditStep(edits, keepDetail)
        step.strengths().forEach { (prompt, strength) -> work.networks.prompt(prompt).strength.used(strength) }
        return synchronized(lock) {
            if (chosenWork == null) throw NoFaceChosen()
            steps.record(step, moving)
            from(submit())
        }
    }

    /** Goes one step back; false where there is none. The picture comes through [previews]. */
    fun undo(): Boolean = stepping { undo() }

    /** Takes back what [undo] did; false where there is nothing. */
    fun redo(): Boolean = stepping { redo() }

    /** Shows the photo itself, as a step that can be undone. */
    fun reset() {
        stepping {
            reset()
            true
        }
    }

    /**
     * Writes the photo with the newest edit at full size. A JPEG of the usual kind stays as it is but for the blocks of the face; other
     * photos are written by [PhotoSource.encode].
     *
     * @param target replaced when all is written; a failure leaves it as it was.
     * @throws java.io.IOException the photo cannot be read, or the file not be written.
     */
    suspend fun save(target: File): Saved {
        val (face, step) = synchronized(lock) { chosenWork to steps.state.current }
        val change = if (face == null || step.isPhoto) null else face.change(step)
        return withContext(Dispatchers.IO) { PhotoWriter(source).write(target, change) }
    }

    /** Ends the work and the streams; a network that is running finishes. Saving goes on. */
    fun cancel() {
        requests.cancel()
    }

    private inline fun stepping(step: EditHistory.() -> Boolean): Boolean = synchronized(lock) {
        val moved = steps.step()
        if (moved) submit()
        moved
    }

    /** To be called with [lock] held; the request's number. */
    private fun submit(): Long {
        mutableHistory.value = steps.state
        mutableWorking.value = true
        newest++
        requests.trySend(Request(newest, chosenWork, steps.state.current))
        return newest
    }

    private fun from(number: Long): Flow<Preview> =
        outcomes.filterNotNull().filter { it.number >= number }.takeWhile { it !is Outcome.Ended }.map(Outcome::preview)

    private suspend fun show(request: Request) {
        outcomes.value = try {
            val picture = if (request.face == null || request.step.isPhoto) original else request.face.picture(request.step)
            Outcome.Made(Preview(picture, request.step), request.number)
        } catch (error: CancellationException) {
            throw error
        } catch (error: Exception) {
            Outcome.Failed(error, request.number)
        } catch (error: OutOfMemoryError) {
            Outcome.Failed(NotEnoughMemory(error), request.number)
        }
        synchronized(lock) { mutableWorking.value = request.number != newest }
    }

    private companion object {
        const val DRAWN = -1
    }
}

/** A picture does not fit into the app's memory. */
class NotEnoughMemory(cause: OutOfMemoryError) : Exception("not enough memory; close other apps and try again", cause)

package textedit.demo

import android.app.Application
import android.graphics.Bitmap
import android.net.Uri
import androidx.core.net.toUri
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.SavedStateHandle
import androidx.lifecycle.viewModelScope
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import textedit.core.Edit
import textedit.core.EditablePhoto
import textedit.core.Face
import textedit.core.HistoryState
import textedit.core.PhotoPart
import textedit.core.Preview

/**
 * The editor's state and what the user does to it. Rotation keeps the view model; after the process was ended in the background the photo
 * and the choices come back from [saved], and the networks run again.
 */
class EditorViewModel(application: Application, private val saved: SavedStateHandle) : AndroidViewModel(application) {
    private val app = application as DemoApplication
    private val mutableState = MutableStateFlow(EditorState(promptId = saved[PROMPT], keepDetail = saved[KEEP_DETAIL] ?: true))
    private var photo: EditablePhoto? = null
    private var loading: Job? = null

    val state: StateFlow<EditorState> = mutableState.asStateFlow()
    val saving: StateFlow<SavingState> get() = app.saving.state

    init {
        openModel()
    }

    /** Opens the model, again where that failed, and then the photo of the last time. */
    fun openModel() {
        mutableState.update { it.copy(failure = null, work = Work.OPENING_MODEL) }
        viewModelScope.launch {
            reporting({ error -> mutableState.update { it.copy(failure = error, work = null) } }) {
                val faces = app.editor.open().faces
                val prompts = faces.prompts
                val chosen = prompts.find { it.id == state.value.promptId } ?: prompts.firstOrNull()
                mutableState.update { it.copy(prompts = prompts, promptId = chosen?.id, drawsOnPhoto = faces.drawsOnPhoto, work = null) }
                saved.get<String>(PHOTO)?.let { load(it.toUri(), restoring = true) }
            }
        }
    }

    /** Takes another photo, of which the app keeps the right to read it again after its process was ended. */
    fun pick(uri: Uri) {
        saved[PHOTO] = uri.toString()
        listOf(FACE, SQUARE, STRENGTHS).forEach { saved.remove<Any>(it) }
        load(uri, restoring = false)
    }

    fun choose(face: Face) {
        saved[FACE] = face.id
        saved.remove<IntArray>(SQUARE)
        photo?.choose(face)
        mutableState.update { it.copy(strengths = emptyMap()) }
    }

    fun choose(square: PhotoPart) {
        saved[SQUARE] = intArrayOf(square.left, square.top, square.right, square.bottom)
        saved.remove<Int>(FACE)
        photo?.choose(square)
        mutableState.update { it.copy(strengths = emptyMap()) }
    }

    fun choosePrompt(id: String) {
        saved[PROMPT] = id
        mutableState.update { it.copy(promptId = id) }
    }

    fun setStrength(strength: Float, moving: Boolean) {
        val prompt = state.value.prompt ?: return
        mutableState.update { it.copy(strengths = it.strengths + (prompt.id to strength)) }
        edit(moving)
    }

    fun setKeepDetail(keep: Boolean) {
        saved[KEEP_DETAIL] = keep
        mutableState.update { it.copy(keepDetail = keep) }
        edit(moving = false)
    }

    fun undo() = photo?.undo()

    fun redo() = photo?.redo()

    fun reset() = photo?.reset()

    /** Adds the result to the album; into [document] where the album needs a permission. */
    fun save(document: Uri?) = photo?.let { app.saving.save(it, document) }

    fun share() = photo?.let(app.saving::share)

    fun shared() = app.saving.shared()

    fun messageShown() {
        mutableState.update { it.copy(message = null) }
        app.saving.messageShown()
    }

    override fun onCleared() {
        photo?.cancel()
    }

    private fun load(uri: Uri, restoring: Boolean) {
        loading?.cancel()
        photo?.cancel()
        photo = null
        // The old photo's pictures need not be in memory beside the new one's.
        mutableState.update { it.copy(photo = null, strengths = emptyMap(), work = Work.FINDING_FACES) }
        loading = viewModelScope.launch {
            reporting(::show) { coroutineScope { take(uri, restoring) } }
        }
    }

    private suspend fun CoroutineScope.take(uri: Uri, restoring: Boolean) {
        val source = withContext(Dispatchers.IO) { AndroidPhoto(app.contentResolver, uri) }
        val opened = app.editor.open().faces.photo(source)
        photo = opened
        val original = withContext(Dispatchers.Default) { opened.original.toBitmap() }
        mutableState.update { it.copy(work = null, photo = ShownPhoto(original, opened.width, opened.height, opened.faces)) }
        // Read before the history of the new photo, which is empty, is kept in its place.
        val strengths = saved.get<Map<String, Float>>(STRENGTHS).orEmpty()
        launch { opened.chosen.collect { face -> updatePhoto { it.copy(chosen = face) } } }
        launch { opened.history.collect(::follow) }
        if (restoring) restore(opened, strengths)
        showPictures(opened)
    }

    private fun restore(opened: EditablePhoto, before: Map<String, Float>) {
        saved.get<Int>(FACE)?.let { id -> opened.faces.find { it.id == id } }?.let(opened::choose)
        saved.get<IntArray>(SQUARE)?.let { (left, top, right, bottom) -> opened.choose(PhotoPart(left, top, right, bottom)) }
        val strengths = before.filterKeys { id -> state.value.prompts.any { it.id == id } }
        if (strengths.isEmpty() || opened.chosen.value == null) return
        mutableState.update { it.copy(strengths = strengths) }
        edit(moving = false)
    }

    /** Every finished picture; an error is shown, and the pictures after it as well. */
    private suspend fun showPictures(opened: EditablePhoto) {
        var failed: Throwable? = null
        while (true) {
            try {
                opened.previews.collect { preview -> show(preview) }
                return
            } catch (error: CancellationException) {
                throw error
            } catch (error: Exception) {
                // The same error stands in the stream until another picture is asked for.
                if (error !== failed) show(error.toMessage())
                failed = error
                opened.working.first { it }
            }
        }
    }

    private suspend fun show(preview: Preview) {
        val bitmap: Bitmap? = if (preview.step.isPhoto) null else withContext(Dispatchers.Default) { preview.picture.toBitmap() }
        updatePhoto { it.copy(edited = bitmap) }
    }

    private fun show(message: Message) = mutableState.update { it.copy(message = message, work = null) }

    /** The sliders show the step that undo and redo have come to. */
    private fun follow(history: HistoryState) {
        val strengths = history.current.edits.associate { it.prompt to it.strength }
        saved[STRENGTHS] = HashMap(strengths)
        updatePhoto { it.copy(canUndo = history.canUndo, canRedo = history.canRedo) }
        // The photo itself says nothing of how edits are shown.
        mutableState.update { state ->
            state.copy(strengths = strengths, keepDetail = if (strengths.isEmpty()) state.keepDetail else history.current.keepDetail)
        }
    }

    private fun edit(moving: Boolean) {
        val photo = photo ?: return
        if (photo.chosen.value == null) return
        val current = state.value
        val ranges = current.prompts.associate { it.id to it.strength }
        // What was saved may come from a bundle with another range.
        val edits = current.strengths.map { (id, strength) ->
            val range = ranges.getValue(id)
            Edit(id, strength.coerceIn(range.minimum, range.maximum))
        }
        photo.edit(edits, moving, current.keepDetail)
    }

    private inline fun updatePhoto(change: (ShownPhoto) -> ShownPhoto) = mutableState.update { it.copy(photo = it.photo?.let(change)) }

    /** Gives [report] what [block] throws, in words. */
    private suspend fun reporting(report: (Message) -> Unit, block: suspend () -> Unit) {
        try {
            block()
        } catch (error: CancellationException) {
            throw error
        } catch (error: Throwable) {
            report(error.toMessage())
        }
    }

    private companion object {
        const val PHOTO = "photo"
        const val FACE = "face"
        const val SQUARE = "square"
        const val PROMPT = "prompt"
        const val STRENGTHS = "strengths"
        const val KEEP_DETAIL = "keep_detail"
    }
}

package textedit.demo

import android.app.Application
import android.graphics.Bitmap
import android.net.Uri
import android.os.Build
import androidx.annotation.RequiresApi
import androidx.core.net.toUri
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.SavedStateHandle
import androidx.lifecycle.viewModelScope
import java.io.IOException
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import textedit.core.BundleException
import textedit.core.CropTransform
import textedit.core.EditOutcome
import textedit.core.EditSession
import textedit.core.PixelImage
import textedit.core.cropFace
import textedit.core.pasteBack
import textedit.engine.EngineException

/**
 * The editor's state and what the user does to it. Rotation keeps the view model; after the process was ended in the background the photo
 * and the choices come back from [saved], and the networks run again.
 */
class EditorViewModel(application: Application, private val saved: SavedStateHandle) : AndroidViewModel(application) {
    private val editor = (application as DemoApplication).editor
    private val aligner = MlKitFaceAligner()
    private val mutableState = MutableStateFlow(EditorState(promptId = saved[PROMPT], keepDetail = saved[KEEP_DETAIL] ?: true))
    private var session: EditSession? = null
    private var photo: EditedPhoto? = null
    private var loading: Job? = null

    // Counted on the main thread alone, where the scope's coroutines begin and end.
    private var running = 0

    val state: StateFlow<EditorState> = mutableState.asStateFlow()

    init {
        viewModelScope.launch {
            reporting(Work.OPENING_MODEL) {
                val opened = editor.open()
                session = opened.newSession()
                mutableState.update { it.copy(prompts = opened.bundle.manifest.prompts) }
            }
            saved.get<String>(PHOTO)?.let { load(it.toUri()) }
        }
    }

    /** Takes another photo, of which the app keeps the right to read it again after its process was ended. */
    fun pick(uri: Uri) {
        saved[PHOTO] = uri.toString()
        load(uri)
    }

    fun choosePrompt(id: String) {
        saved[PROMPT] = id
        mutableState.update { it.copy(promptId = id) }
        edit()
    }

    fun setStrength(strength: Float) {
        val id = state.value.promptId ?: return
        saved[strengthKey(id)] = strength
        edit()
    }

    fun setKeepDetail(keep: Boolean) {
        saved[KEEP_DETAIL] = keep
        mutableState.update { it.copy(keepDetail = keep) }
        edit()
    }

    /** Adds the result to the album, at the size at which the photo was read. */
    @RequiresApi(Build.VERSION_CODES.Q)
    fun saveToAlbum() = withResult { result ->
        getApplication<Application>().contentResolver.saveToAlbum(result, "textedit-${System.currentTimeMillis()}")
        mutableState.update { it.copy(message = Message(R.string.saved)) }
    }

    /** Writes the result into a document that the user has named, for systems whose album needs a permission. */
    fun saveTo(document: Uri) = withResult { result ->
        getApplication<Application>().contentResolver.writeJpeg(result, document)
        mutableState.update { it.copy(message = Message(R.string.saved)) }
    }

    /** Hands [share] a link to the result. */
    fun share(share: (Uri) -> Unit) = withResult { result ->
        val link = getApplication<Application>().shareableCopy(result)
        withContext(Dispatchers.Main) { share(link) }
    }

    fun messageShown() = mutableState.update { it.copy(message = null) }

    override fun onCleared() = aligner.close()

    private fun load(uri: Uri) {
        loading?.cancel()
        loading = viewModelScope.launch { reporting(Work.FINDING_FACE) { take(uri) } }
    }

    private suspend fun take(uri: Uri) {
        val session = session ?: return
        val manifest = editor.open().bundle.manifest
        val bitmap = withContext(Dispatchers.IO) { getApplication<Application>().contentResolver.readPhoto(uri) }
        val alignment = aligner.align(bitmap, manifest.cropRule)
        val full = withContext(Dispatchers.Default) { bitmap.toPixelImage() }
        val face = withContext(Dispatchers.Default) { cropFace(full, alignment.transform, manifest.pixels.size) }
        // From here on the session has the new face, whose edits must not be pasted into the photo before.
        photo = null
        mutableState.update { it.copy(original = null, edited = null) }
        val outcome = session.setFace(face)
        if (outcome !is EditOutcome.Edited) return
        photo = withContext(Dispatchers.Default) {
            EditedPhoto(full, bitmap.fittedTo(PREVIEW_SIDE), alignment.transform, reconstruction = outcome.face)
        }
        mutableState.update { it.copy(original = photo?.preview, edited = null, foundFace = alignment.foundFace) }
        edit()
    }

    /** Starts the edit that the state asks for; one that is still waiting is dropped by the session. */
    private fun edit() {
        val prompt = state.value.prompt ?: return
        // What was saved may come from a bundle with another range.
        val range = prompt.strength
        val strength = range.used(saved.get<Float>(strengthKey(prompt.id))?.coerceIn(range.minimum, range.maximum))
        mutableState.update { it.copy(strength = strength) }
        val session = session ?: return
        val photo = photo ?: return
        viewModelScope.launch {
            reporting(Work.EDITING) {
                val outcome = session.edit(mapOf(prompt.id to strength))
                if (outcome is EditOutcome.Edited && photo === this@EditorViewModel.photo) show(photo, outcome.face)
            }
        }
    }

    private suspend fun show(photo: EditedPhoto, face: PixelImage) {
        photo.face = face
        val preview = withContext(Dispatchers.Default) { photo.previewWith(face, state.value.keepDetail) }
        if (photo.face === face) mutableState.update { it.copy(edited = preview) }
    }

    private fun withResult(use: suspend (Bitmap) -> Unit) {
        val photo = photo ?: return
        val face = photo.face ?: return
        viewModelScope.launch {
            reporting(Work.SAVING) {
                val keepDetail = state.value.keepDetail
                withContext(Dispatchers.IO) { use(photo.resultWith(face, keepDetail)) }
            }
        }
    }

    /** Shows [work] until nothing runs any more, and what [block] throws as a message. */
    private suspend fun reporting(work: Work, block: suspend () -> Unit) {
        running++
        mutableState.update { it.copy(work = work) }
        try {
            block()
        } catch (error: CancellationException) {
            throw error
        } catch (error: Exception) {
            val message = error.toMessage()
            mutableState.update { it.copy(message = message) }
        } finally {
            running--
            if (running == 0) mutableState.update { it.copy(work = null) }
        }
    }

    private fun strengthKey(promptId: String) = "strength/$promptId"

    private companion object {
        const val PHOTO = "photo"
        const val PROMPT = "prompt"
        const val KEEP_DETAIL = "keep_detail"

        /** Longest side of what is shown while the slider moves, in pixels. */
        const val PREVIEW_SIDE = 1280
    }
}

/** One photo, its face as the networks see it, and the newest edited face. */
private class EditedPhoto(
    private val full: PixelImage,
    val preview: Bitmap,
    private val transform: CropTransform,
    private val reconstruction: PixelImage,
) {
    private val small = preview.toPixelImage()
    var face: PixelImage? = null

    fun previewWith(face: PixelImage, keepDetail: Boolean): Bitmap =
        blend(small, transform.scaled(small.width.toDouble() / full.width), face, keepDetail)

    fun resultWith(face: PixelImage, keepDetail: Boolean): Bitmap = blend(full, transform, face, keepDetail)

    private fun blend(photo: PixelImage, transform: CropTransform, face: PixelImage, keepDetail: Boolean): Bitmap =
        pasteBack(photo, face, transform, reconstruction.takeIf { keepDetail }).toBitmap()
}

internal fun Exception.toMessage(): Message = when (this) {
    is BundleException -> Message(R.string.error_bundle, message.orEmpty())
    is EngineException -> Message(R.string.error_engine, message.orEmpty())
    is SelfTestFailed -> Message(R.string.error_self_test, message.orEmpty())
    is FaceDetectionException -> Message(R.string.error_face, message.orEmpty())
    is IOException, is SecurityException -> Message(R.string.error_photo, message.orEmpty())
    else -> throw this
}

package textedit.demo

import android.content.Context
import android.net.Uri
import android.os.Build
import java.io.File
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import textedit.core.EditablePhoto
import textedit.core.Loss
import textedit.core.Saved

/**
 * What becomes of pictures that are saved.
 *
 * @property running true while one is written.
 * @property message the last one's end, until it was shown.
 * @property share a finished picture that waits to be handed to another app.
 */
data class SavingState(val running: Boolean = false, val message: Message? = null, val share: Uri? = null)

/** Saves and shares for the whole app, so that leaving a screen drops nothing. One picture at a time. */
class Saving(private val context: Context, private val scope: CoroutineScope) {
    private val mutableState = MutableStateFlow(SavingState())

    val state: StateFlow<SavingState> = mutableState.asStateFlow()

    /** Adds the picture to the album, or writes it into [document], for systems whose album needs a permission. */
    fun save(photo: EditablePhoto, document: Uri?) = start { file ->
        val saved = photo.save(file)
        when {
            document != null -> context.contentResolver.copyInto(file, document)
            Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q -> context.contentResolver.addToAlbum(file, file.nameWithoutExtension)
            else -> error("before Android 10 the user names a document")
        }
        file.delete()
        mutableState.update { it.copy(message = saved.toMessage()) }
    }

    /** Leaves the picture as [SavingState.share] for the screen to hand on. */
    fun share(photo: EditablePhoto) = start { file ->
        photo.save(file)
        mutableState.update { it.copy(share = context.linkTo(file)) }
    }

    fun messageShown() = mutableState.update { it.copy(message = null) }

    fun shared() = mutableState.update { it.copy(share = null) }

    private fun start(work: suspend (File) -> Unit) {
        if (state.value.running) return
        mutableState.update { it.copy(running = true) }
        scope.launch {
            try {
                work(context.newSharedFile())
            } catch (error: CancellationException) {
                throw error
            } catch (error: Throwable) {
                mutableState.update { it.copy(message = error.toMessage()) }
            } finally {
                mutableState.update { it.copy(running = false) }
            }
        }
    }
}

/** Says what of the photo could not be kept. */
private fun Saved.toMessage(): Message = when {
    losses.isEmpty() -> Message(R.string.saved)
    Loss.GAIN_MAP in losses || Loss.WIDE_COLOUR in losses -> Message(R.string.saved_without_colour)
    Loss.FORMAT in losses -> Message(R.string.saved_as_jpeg)
    else -> Message(R.string.saved_again)
}

package textedit.demo

import android.graphics.Bitmap
import androidx.annotation.StringRes
import java.io.IOException
import textedit.core.BundleException
import textedit.core.Face
import textedit.core.FaceDetectionException
import textedit.core.NotEnoughMemory
import textedit.core.Prompt
import textedit.engine.EngineException

/** What the editor is doing before a photo can be edited. */
enum class Work(@param:StringRes val label: Int) {
    OPENING_MODEL(R.string.opening_model),
    FINDING_FACES(R.string.finding_face),
}

/** A line for the user. [detail] fills the text's placeholder and is not translated. */
data class Message(@param:StringRes val text: Int, val detail: String = "")

/**
 * A photo as it is shown.
 *
 * @property original at the size of the screen.
 * @property edited the same after the newest finished edit; null until there is one.
 * @property width,height of the whole photo in pixels.
 */
data class ShownPhoto(
    val original: Bitmap,
    val width: Int,
    val height: Int,
    val faces: List<Face>,
    val chosen: Face? = null,
    val edited: Bitmap? = null,
    val canUndo: Boolean = false,
    val canRedo: Boolean = false,
)

/**
 * All that the editor's screen shows.
 *
 * @property photo null before one was picked.
 * @property strengths of the prompts that are not at 0, which add up.
 * @property promptId the prompt whose slider is shown.
 * @property drawsOnPhoto edits are drawn on the photo, whose details stay; there is no [keepDetail] to choose.
 * @property failure why the model cannot be used; the user may try again.
 * @property message shown once.
 */
data class EditorState(
    val prompts: List<Prompt> = emptyList(),
    val photo: ShownPhoto? = null,
    val strengths: Map<String, Float> = emptyMap(),
    val promptId: String? = null,
    val keepDetail: Boolean = true,
    val drawsOnPhoto: Boolean = false,
    val work: Work? = Work.OPENING_MODEL,
    val failure: Message? = null,
    val message: Message? = null,
) {
    val prompt: Prompt? get() = prompts.find { it.id == promptId }
    val canEdit: Boolean get() = photo?.chosen != null
}

/** Every error in words; its own text is the detail. */
internal fun Throwable.toMessage(): Message = when (this) {
    is BundleException -> Message(R.string.error_bundle, message.orEmpty())
    is EngineException.OutOfMemory, is NotEnoughMemory, is OutOfMemoryError -> Message(R.string.error_memory)
    is EngineException -> Message(R.string.error_engine, message.orEmpty())
    is SelfTestFailed -> Message(R.string.error_self_test, message.orEmpty())
    is FaceDetectionException -> Message(R.string.error_face, message.orEmpty())
    is IOException, is SecurityException -> Message(R.string.error_photo, message.orEmpty())
    else -> Message(R.string.error_unexpected, toString())
}

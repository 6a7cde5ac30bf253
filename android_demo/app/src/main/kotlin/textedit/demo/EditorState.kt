package textedit.demo

import android.graphics.Bitmap
import androidx.annotation.StringRes
import textedit.core.Prompt

/** What the editor is doing; null when it waits for the user. */
enum class Work(@param:StringRes val label: Int) {
    OPENING_MODEL(R.string.opening_model),
    FINDING_FACE(R.string.finding_face),
    EDITING(R.string.editing),
    SAVING(R.string.saving),
}

/** A line for the user, shown once. [detail] fills the text's placeholder and is not translated. */
data class Message(@param:StringRes val text: Int, val detail: String = "")

/**
 * All that the editor's screen shows.
 *
 * @property original the photo at the size of the screen; null before one was picked.
 * @property edited the same after the edit; null until there is one.
 * @property foundFace false where the middle of the photo is edited because no face was found in it.
 */
data class EditorState(
    val prompts: List<Prompt> = emptyList(),
    val original: Bitmap? = null,
    val edited: Bitmap? = null,
    val foundFace: Boolean = true,
    val promptId: String? = null,
    val strength: Float = 0f,
    val keepDetail: Boolean = true,
    val work: Work? = Work.OPENING_MODEL,
    val message: Message? = null,
) {
    val prompt: Prompt? get() = prompts.find { it.id == promptId }

    /** True while the result cannot be saved: there is none, or the one of the newest strength is still being made. */
    val canSave: Boolean get() = edited != null && work == null
}

package textedit.core

/** How far one prompt goes; several of them add up. [strength] lies in the prompt's range, 0 leaves the face as it is. */
data class Edit(val prompt: String, val strength: Float)

/**
 * All that makes the picture out of a photo and its chosen face.
 *
 * @property keepDetail adds the change of the edit to the photo instead of showing the networks' face; says nothing where the bundle has a
 *   compositor, which draws on the photo.
 */
data class EditStep(val edits: List<Edit> = emptyList(), val keepDetail: Boolean = true) {
    /** True where the result is the photo itself. */
    val isPhoto: Boolean get() = edits.all { it.strength == 0f }
}

/** What a history allows next. */
data class HistoryState(val current: EditStep, val canUndo: Boolean, val canRedo: Boolean)

/** The last [STEPS] steps of one photo, to be gone back and forth in. */
class EditHistory {
    private val steps = ArrayDeque(listOf(EditStep()))
    private var position = 0
    private var moving = false

    val state: HistoryState get() = HistoryState(steps[position], canUndo = position > 0, canRedo = position < steps.lastIndex)

    /**
     * Makes a step the current one and forgets what was undone before it.
     *
     * @param moving the slider is still held: moves that follow each other are one step.
     */
    fun record(step: EditStep, moving: Boolean = false) {
        if (moving && this.moving) {
            steps[position] = step
            return
        }
        // The end of a movement belongs to it; a step that changes nothing is none.
        val finishes = this.moving && !moving
        this.moving = moving
        if (finishes) steps[position] = step else if (step != steps[position]) append(step)
    }

    /** Goes one step back; false where there is none. */
    fun undo(): Boolean = go(position - 1)

    /** Takes back what [undo] did; false where there is nothing. */
    fun redo(): Boolean = go(position + 1)

    /** The photo without edits, as a step that can be undone. */
    fun reset() = record(EditStep(keepDetail = steps[position].keepDetail))

    private fun append(step: EditStep) {
        while (steps.lastIndex > position) steps.removeLast()
        steps.addLast(step)
        if (steps.size > STEPS + 1) steps.removeFirst()
        position = steps.lastIndex
    }

    private fun go(to: Int): Boolean {
        moving = false
        if (to !in steps.indices) return false
        position = to
        return true
    }

    companion object {
        /** Steps that can be undone. */
        const val STEPS = 10
    }
}

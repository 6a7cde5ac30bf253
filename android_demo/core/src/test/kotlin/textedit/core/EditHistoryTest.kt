package textedit.core

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertTrue

class EditHistoryTest {
    private val history = EditHistory()

    private fun step(strength: Float) = EditStep(listOf(Edit("smile", strength)))

    private val strength get() = history.state.current.edits.singleOrNull()?.strength ?: 0f

    @Test
    fun `goes back, forth and on from there`() {
        listOf(0.1f, 0.2f, 0.3f).forEach { history.record(step(it)) }
        assertTrue(history.undo() && history.undo())
        assertEquals(0.1f, strength)
        assertTrue(history.redo())
        history.record(step(0.9f))
        assertFalse(history.redo(), "what was undone is gone")
        assertEquals(0.9f, strength)
    }

    @Test
    fun `keeps ten steps`() {
        (1..30).forEach { history.record(step(it / 30f)) }
        assertEquals(10, generateSequence { history.undo().takeIf { it } }.count())
        assertEquals(20 / 30f, strength)
    }

    @Test
    fun `a movement is one step, and ends with the slider let go`() {
        listOf(0.1f, 0.2f, 0.3f).forEach { history.record(step(it), moving = true) }
        history.record(step(0.4f))
        history.record(step(0.5f), moving = true)
        assertTrue(history.undo())
        assertEquals(0.4f, strength)
        assertTrue(history.undo())
        assertFalse(history.undo())
        assertTrue(history.state.current.isPhoto)
    }

    @Test
    fun `a reset can be undone, and nothing changed is no step`() {
        history.record(step(0.5f))
        history.record(step(0.5f))
        history.reset()
        assertTrue(history.state.current.isPhoto)
        assertTrue(history.undo())
        assertEquals(0.5f, strength)
        assertTrue(history.undo())
        assertEquals(HistoryState(EditStep(), canUndo = false, canRedo = true), history.state)
    }
}

import Testing

@testable import EditorCore

@Suite("Undo, redo, reset")
struct EditHistoryTests {
    private func edits(_ strength: Double) -> [Edit] { [Edit(prompt: "smile", strength: strength)] }

    @Test func aDragIsOneStep() {
        var history = EditHistory()
        history.record(edits(0.2))
        for strength in [0.3, 0.5, 0.7] { history.record(edits(strength), moving: true) }
        history.record(edits(0.8))
        #expect(history.steps == [[], edits(0.2), edits(0.8)])
        history.undo()
        #expect(history.current == edits(0.2))
    }

    @Test func tenStepsAreRemembered() {
        var history = EditHistory()
        for step in 1...15 { history.record(edits(Double(step))) }
        var undone = 0
        while history.undo() { undone += 1 }
        #expect(undone == EditHistory.limit && EditHistory.limit == 10)
        #expect(history.current == edits(5))
    }

    @Test func aNewEditForgetsWhatWasUndone() {
        var history = EditHistory()
        history.record(edits(1))
        history.undo()
        #expect(history.canRedo)
        history.record(edits(2))
        #expect(!history.canRedo && history.steps == [[], edits(2)])
    }

    @Test func theSameAgainIsNoStep() {
        var history = EditHistory()
        history.record(edits(1))
        history.record(edits(1))
        history.reset()
        history.reset()
        #expect(history.steps == [[], edits(1), []])
    }
}

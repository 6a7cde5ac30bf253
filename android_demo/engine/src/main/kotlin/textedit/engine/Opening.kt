package textedit.engine

import textedit.core.Bundle
import textedit.core.EditorOptions
import textedit.core.FaceDetector
import textedit.core.FaceEditor

/** An editor whose networks run in ExecuTorch. */
fun FaceEditor.Companion.open(bundle: Bundle, detector: FaceDetector, options: EditorOptions = EditorOptions()): FaceEditor =
    open(bundle, ExecuTorchEngine(bundle), detector, options)

package textedit.demo

import android.app.Application
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.launch
import textedit.core.Manifest

/** Owns what outlives every screen: the bundle and its networks. */
class DemoApplication : Application() {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)

    /** Goes on when the screen that asked for it is left. */
    val saving = Saving(this, scope)

    val editor by lazy { Editor(this) }

    /** Out of sight only the decoder stays, so that coming back is quick; when memory runs short, nothing does. */
    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        val kept = if (level == TRIM_MEMORY_UI_HIDDEN) setOf(Manifest.DECODER) else emptySet()
        // Releasing waits for a network that is running, which the main thread must not.
        if (level >= TRIM_MEMORY_UI_HIDDEN) scope.launch { editor.release(kept) }
    }
}

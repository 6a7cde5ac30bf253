package textedit.demo

import android.app.Application
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.SavedStateHandle
import androidx.lifecycle.viewModelScope
import java.io.File
import java.io.IOException
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import textedit.core.BenchmarkSettings
import textedit.core.DeviceBenchmark
import textedit.core.Json
import textedit.core.Manifest
import textedit.core.Spread
import textedit.core.spreads
import textedit.engine.ExecuTorchEngine

/**
 * What the benchmark's screen shows.
 *
 * @property progress share that is done, null while nothing runs.
 * @property savedAt where the result document lies.
 */
data class BenchmarkState(
    val progress: Double? = null,
    val spreads: Map<String, Spread> = emptyMap(),
    val savedAt: String? = null,
    val message: Message? = null,
)

/** Runs the benchmark of `core` with an engine of its own, so that nothing else uses the networks meanwhile. */
class BenchmarkViewModel(application: Application, extras: SavedStateHandle) : AndroidViewModel(application) {
    private val editor = (application as DemoApplication).editor
    private val mutableState = MutableStateFlow(BenchmarkState())

    val state: StateFlow<BenchmarkState> = mutableState.asStateFlow()

    init {
        if (extras.get<Boolean>(RUN) == true) run()
    }

    fun run() {
        if (state.value.progress != null) return
        mutableState.value = BenchmarkState(progress = 0.0)
        viewModelScope.launch {
            mutableState.value = try {
                val document = withContext(Dispatchers.Default) { measure() }
                val file = withContext(Dispatchers.IO) { write(RESULT_FILE, document.render()) }
                BenchmarkState(spreads = spreads(document), savedAt = file.path)
            } catch (error: CancellationException) {
                throw error
            } catch (error: Exception) {
                withContext(Dispatchers.IO) { write(ERROR_FILE, error.toString()) }
                BenchmarkState(message = error.toMessage())
            }
        }
    }

    private suspend fun measure(): Json {
        val bundle = editor.open().bundle
        editor.release(kept = emptySet())
        val device = AndroidDevice(getApplication())
        val settings = BenchmarkSettings(bundle.manifest.prompts.first().id, ExecuTorchEngine.defaultThreads())
        val face = bundle.manifest.golden.first { it.part == Manifest.ENCODER }.input.let { readPng(bundle.file(it)) }
        return ExecuTorchEngine(bundle, settings.threads).use { engine ->
            val software = mapOf("executorch" to BuildConfig.EXECUTORCH_VERSION, "app" to BuildConfig.VERSION_NAME)
            DeviceBenchmark(bundle, engine, device.machine(), software, device).run(settings, face, ::report)
        }
    }

    private fun report(share: Double) = mutableState.update { it.copy(progress = share) }

    /** Moved into place when it is whole, so that adb never fetches half of it. */
    private fun write(name: String, text: String): File {
        val folder = getApplication<Application>().getExternalFilesDir(null) ?: throw IOException("the device has no shared storage")
        val scratch = File(folder, ".$name").apply { writeText(text) }
        return File(folder, name).also { if (!scratch.renameTo(it)) throw IOException("$it cannot be written") }
    }

    /** The activity's extra and the files that `benchmarks/device.py` knows. */
    private companion object {
        const val RUN = "run"
        const val RESULT_FILE = "benchmark.json"
        const val ERROR_FILE = "benchmark-error.txt"
    }
}

package textedit.demo

import android.content.Context
import android.content.res.AssetManager
import android.os.Build
import java.io.File
import java.io.InputStream
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext
import textedit.core.Bundle
import textedit.core.BundleSource
import textedit.core.BundleStore
import textedit.core.FaceEditor
import textedit.core.SelfTestResult
import textedit.engine.open

/** The networks answer otherwise on this device than when they were exported. */
class SelfTestFailed(val results: List<SelfTestResult>) : Exception(
    results.filterNot { it.passed }.joinToString { "${it.part}: %.1f dB, the floor is %.0f dB".format(it.psnrDb, it.floorDb) },
)

/** A checked bundle and the editor that runs it. */
class OpenEditor(val bundle: Bundle, val faces: FaceEditor)

/** Opens the app's bundle when it is first needed: installs it from the assets, checks it, and tests it on this device. */
class Editor(private val context: Context) {
    private val store = BundleStore(File(context.filesDir, "bundles"))
    private val tested = File(context.filesDir, "self-test-passed")
    private val opening = Mutex()

    @Volatile
    private var opened: OpenEditor? = null

    /**
     * @throws textedit.core.BundleException the bundle does not keep the contract.
     * @throws textedit.engine.EngineException the runtime cannot run it.
     * @throws SelfTestFailed it runs, with other answers.
     */
    suspend fun open(): OpenEditor = opening.withLock {
        opened ?: withContext(Dispatchers.IO) {
            val bundle = store.seed(AssetSource(context.assets, BUNDLE_ASSET))
            val editor = OpenEditor(bundle, FaceEditor.open(bundle, MlKitFaceDetector()))
            try {
                testOnce(editor)
                editor.faces.warmUp()
            } catch (error: Exception) {
                editor.faces.close()
                throw error
            }
            editor.also { opened = it }
        }
    }

    /** Runs every network on its golden input. */
    suspend fun selfTest(): List<SelfTestResult> = open().faces.selfTest(::readPng)

    suspend fun release(kept: Set<String>) {
        opened?.faces?.release(kept)
    }

    /** Once after installation and once after an update of the system, whose kernels may differ. */
    private suspend fun testOnce(editor: OpenEditor) {
        val key = "${editor.bundle.manifest.digest} ${Build.FINGERPRINT}"
        if (tested.isFile && tested.readText() == key) return
        val results = editor.faces.selfTest(::readPng)
        if (results.any { !it.passed }) throw SelfTestFailed(results)
        tested.writeText(key)
    }

    private companion object {
        /** Where `python -m export --target android --embed android_demo` puts it. */
        const val BUNDLE_ASSET = "model.textedit"
    }
}

/** A bundle in the app's assets. */
class AssetSource(private val assets: AssetManager, private val root: String) : BundleSource {
    override val paths: Set<String> = filesBelow("").toSet()

    override fun open(path: String): InputStream = assets.open("$root/$path")

    /** The asset manager lists the names in a folder, and nothing for a file. */
    private fun filesBelow(folder: String): List<String> = assets.list("$root/$folder".trimEnd('/')).orEmpty().flatMap { name ->
        val path = if (folder.isEmpty()) name else "$folder/$name"
        filesBelow(path).ifEmpty { listOf(path) }
    }
}

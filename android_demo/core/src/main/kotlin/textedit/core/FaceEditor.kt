package textedit.core

import java.io.Closeable
import java.util.concurrent.Executors
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.cancel
import kotlinx.coroutines.withContext

/**
 * How an editor works.
 *
 * @property previewSide longer side of the pictures that [EditablePhoto.edit] shows, in pixels; that of the screen is enough.
 * @property detectionSide longer side of the picture that the detector sees.
 * @property threads threads that share the rows of a picture.
 */
data class EditorOptions(val previewSide: Int = 1280, val detectionSide: Int = 2048, val threads: Int = defaultThreads()) {
    init {
        require(previewSide > 0 && detectionSide > 0 && threads > 0) { "sides and threads must be positive: $this" }
    }
}

private fun defaultThreads(): Int = (Runtime.getRuntime().availableProcessors() / 2).coerceIn(1, 4)

/**
 * Edits faces in photos by the prompts of one bundle. It owns its threads: no call blocks its caller.
 *
 * ```
 * val editor = FaceEditor.open(bundle, runner, detector)
 * val photo = editor.photo(source)
 * photo.edit(listOf(Edit("smile", 0.8f))).collect { show(it.picture) }
 * ```
 */
class FaceEditor private constructor(
    private val bundle: Bundle,
    private val runner: NetworkRunner,
    private val detector: FaceDetector,
    private val options: EditorOptions,
) : Closeable {
    private val networks = FaceNetworks(bundle, runner)
    private val networkThread = Executors.newSingleThreadExecutor(daemons("textedit-networks")).asCoroutineDispatcher()
    private val rows = RowPool(options.threads)
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)

    /** True where edits are drawn on the photo itself; false where the bundle has no compositor, and edited faces are pasted. */
    val drawsOnPhoto: Boolean get() = networks.guideSide != null

    /** What the bundle can do, in its order. */
    val prompts: List<Prompt> get() = bundle.manifest.prompts

    /**
     * Reads a photo and finds its faces. Where there is exactly one it is chosen; otherwise the user chooses, or draws a square.
     *
     * @throws java.io.IOException the photo cannot be read.
     * @throws FaceDetectionException the detector failed.
     */
    suspend fun photo(source: PhotoSource): EditablePhoto {
        val whole = PhotoPart(0, 0, source.width, source.height)
        val preview = withContext(Dispatchers.IO) { source.pixels(whole, options.previewSide) }
        val faces = withContext(Dispatchers.IO) { faces(source, source.pixels(whole, options.detectionSide)) }
        return EditablePhoto(source, preview, faces, PhotoWork(networks, networkThread, rows), scope).also { photo ->
            faces.singleOrNull()?.let(photo::choose)
        }
    }

    private suspend fun faces(source: PhotoSource, picture: PixelImage): List<Face> {
        val scale = source.width.toDouble() / picture.width
        val crops = detector.faces(picture).mapNotNull { points ->
            try {
                points to CropTransform.aroundFace(points, picture.width, picture.height, bundle.manifest.cropRule).scaled(scale)
            } catch (_: LandmarkException) {
                // A detector's points that are none of a face are no face.
                null
            }
        }
        return crops.sortedByDescending { it.second.side }.mapIndexed { at, (points, crop) -> Face(at, points.scaled(scale), crop) }
    }

    /**
     * Loads the networks that every edit needs, so that the first one does not wait.
     *
     * @param progress called with the share that is done, 0 to 1.
     */
    suspend fun warmUp(progress: (Float) -> Unit = {}) = withContext(networkThread) {
        val names = listOfNotNull(Manifest.ENCODER, Manifest.DECODER, Manifest.COMPOSITOR.takeIf { drawsOnPhoto })
        names.forEachIndexed { done, name ->
            progress(done.toFloat() / names.size)
            runner.load(bundle.manifest.part(name))
        }
        progress(1f)
    }

    /** Runs every network on its golden input. [readPng] decodes a PNG file of the bundle. */
    suspend fun selfTest(readPng: (java.io.File) -> PixelImage): List<SelfTestResult> =
        withContext(networkThread) { SelfTest(bundle, readPng).run(runner) }

    /** Gives back the memory of the networks but [kept]; waits for one that is running. */
    suspend fun release(kept: Set<String> = emptySet()) = withContext(networkThread) { runner.release(kept) }

    /** Ends all photos' work and closes the networks. */
    override fun close() {
        scope.cancel()
        rows.close()
        networkThread.executor.execute(runner::close)
        networkThread.close()
    }

    companion object {
        /**
         * Makes an editor; `engine` has a shorter form for ExecuTorch.
         *
         * @param runner belongs to the editor from here on.
         */
        fun open(bundle: Bundle, runner: NetworkRunner, detector: FaceDetector, options: EditorOptions = EditorOptions()) =
            FaceEditor(bundle, runner, detector, options)
    }
}

private fun Landmarks.scaled(factor: Double) =
    Landmarks(leftEye * factor, rightEye * factor, nose * factor, leftMouth * factor, rightMouth * factor)

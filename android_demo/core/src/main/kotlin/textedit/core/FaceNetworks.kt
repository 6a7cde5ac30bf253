package textedit.core

import java.io.Closeable

/** Runs the networks of a bundle in the device's runtime; `engine` has the one of ExecuTorch. Called from one thread at a time. */
interface NetworkRunner : Closeable {
    /** Loads a part ahead of its first use; one that is loaded stays as it is. */
    fun load(part: Part)

    /** Feeds a part with float32 numbers in C order and returns its answer in a new array; the part is loaded when it is first needed. */
    fun run(part: Part, input: FloatArray): FloatArray

    /** Gives back the memory of loaded parts but [kept]; they are loaded anew when needed. */
    fun release(kept: Set<String> = emptySet())
}

/** Encoder, editors, decoder and compositor of one bundle, whatever kind its prompts are. */
class FaceNetworks(private val bundle: Bundle, private val runner: NetworkRunner) {
    private val manifest = bundle.manifest
    private val encoder = manifest.part(Manifest.ENCODER)
    private val decoder = manifest.part(Manifest.DECODER)

    private val compositor = manifest.parts.find { it.name == Manifest.COMPOSITOR }

    val pixels: PixelSpec get() = manifest.pixels

    /** Side M of what [composite] takes; null where the bundle has no compositor and edited faces are pasted. */
    val guideSide: Int? = bundle.guideSide()

    /** Image float32 [1,3,S,S] in the range of [pixels] to w_plus [1,L,D]. */
    fun encode(image: FloatArray): FloatArray = runner.run(encoder, image)

    /**
     * w_plus [1,L,D] to delta_w [1,L,D]. A prompt that is a vector puts its rows below those of w_plus, in memory one after the other.
     *
     * @throws BundleException the bundle has no such prompt.
     */
    fun delta(promptId: String, wPlus: FloatArray): FloatArray {
        val prompt = manifest.prompt(promptId)
        val text = bundle.vector(prompt)
        return runner.run(manifest.part(prompt.part), if (text == null) wPlus else belowWPlus(wPlus, text))
    }

    /** w_plus [1,L,D] to image float32 [1,3,R,R], not clamped. */
    fun decode(wPlus: FloatArray): FloatArray = runner.run(decoder, wPlus)

    /**
     * Guides float32 [1,9,M,M] to fields float32 [1,8,M,M]; see [Guides].
     *
     * @throws IllegalStateException the bundle has no compositor.
     */
    fun composite(guides: FloatArray): FloatArray = runner.run(checkNotNull(compositor) { "this bundle has no compositor" }, guides)

    /** The prompt's entry. */
    fun prompt(id: String): Prompt = manifest.prompt(id)
}

/** What the text-conditioned editor takes: the rows of a text after the levels of w_plus. */
internal fun belowWPlus(wPlus: FloatArray, text: FloatArray): FloatArray = wPlus + text

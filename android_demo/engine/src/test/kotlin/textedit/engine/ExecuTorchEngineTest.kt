package textedit.engine

import java.io.File
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import org.junit.Before
import org.junit.Rule
import org.junit.rules.TemporaryFolder
import org.pytorch.executorch.ExecutorchRuntimeException
import textedit.core.Bundle
import textedit.core.FaceNetworks
import textedit.core.Manifest
import textedit.core.TinyBundle

class ExecuTorchEngineTest {
    @get:Rule
    val scratch = TemporaryFolder()

    private lateinit var bundle: Bundle
    private val opened = mutableListOf<File>()
    private val closed = mutableListOf<File>()
    private var failure: Throwable? = null

    /** Answers with the part's output shape, filled with the first number of the input. */
    private val loader = ProgramLoader { file, threads ->
        assertEquals(2, threads)
        failure?.let { throw it }
        opened += file
        object : Program {
            override fun forward(input: FloatTensor): FloatTensor {
                failure?.let { throw it }
                val shape = bundle.manifest.parts.single { bundle.file(it.file) == file }.output.shape
                return FloatTensor(shape, FloatArray(shape.reduce(Int::times)) { input.values.first() })
            }

            override fun close() {
                closed += file
            }
        }
    }

    private fun engine() = ExecuTorchEngine(bundle, threads = 2, loader)

    private fun part(name: String) = bundle.manifest.part(name)

    @Before
    fun open() {
        bundle = TinyBundle.openIn(scratch.newFolder())
    }

    @Test
    fun `one program a part, loaded when it is needed and shared by all prompts`() {
        val engine = engine()
        val networks = FaceNetworks(bundle, engine)
        val wPlus = networks.encode(FloatArray(192) { 0.25f })
        for (prompt in listOf("smile", "sketch", "smile")) networks.decode(networks.delta(prompt, wPlus))
        assertEquals(listOf("encoder", "editors/smile", "decoder", "text_editor").map { bundle.file(part(it).file) }, opened)
        assertContentEquals(FloatArray(8) { 0.25f }, wPlus)
    }

    @Test
    fun `memory is given back and programs are loaded anew`() {
        val engine = engine()
        listOf(Manifest.ENCODER, Manifest.DECODER, "editors/smile").forEach { engine.load(part(it)) }
        engine.release(kept = setOf(Manifest.DECODER))
        assertEquals(setOf(Manifest.DECODER), engine.loaded)
        assertEquals(listOf("encoder", "editors/smile").map { bundle.file(part(it).file) }, closed)
        engine.run(part(Manifest.ENCODER), FloatArray(192))
        assertEquals(4, opened.size)
    }

    @Test
    fun `a closed engine has no programs and runs none`() {
        val engine = engine()
        engine.load(part(Manifest.DECODER))
        engine.close()
        engine.close()
        assertEquals(1, closed.size)
        assertFailsWith<EngineException.Closed> { engine.run(part(Manifest.DECODER), FloatArray(8)) }
    }

    @Test
    fun `what the runtime says becomes an error that names the part`() {
        val refused = ExecutorchRuntimeException(ExecutorchRuntimeException.INVALID_PROGRAM, "no program")
        val memory = ExecutorchRuntimeException(ExecutorchRuntimeException.DELEGATE_MEMORY_ALLOCATION_FAILED, "no memory")
        failure = refused
        assertEquals(Manifest.DECODER, assertFailsWith<EngineException.ProgramRefused> { engine().load(part(Manifest.DECODER)) }.part)
        failure = memory
        assertFailsWith<EngineException.OutOfMemory> { engine().load(part(Manifest.DECODER)) }
        failure = IllegalArgumentException("no such file")
        assertFailsWith<EngineException.ProgramRefused> { engine().load(part(Manifest.DECODER)) }
        failure = UnsatisfiedLinkError("libexecutorch.so")
        assertFailsWith<EngineException.RuntimeMissing> { engine().load(part(Manifest.DECODER)) }
        failure = null
        val engine = engine().apply { load(part(Manifest.DECODER)) }
        failure = refused
        assertFailsWith<EngineException.ExecutionFailed> { engine.run(part(Manifest.DECODER), FloatArray(8)) }
    }

    @Test
    fun `shapes that do not fit the manifest are refused`() {
        assertFailsWith<EngineException.WrongShape> { engine().run(part(Manifest.DECODER), FloatArray(7)) }
        val wrong = ProgramLoader { _, _ ->
            object : Program {
                override fun forward(input: FloatTensor) = FloatTensor(listOf(1, 3, 4, 16), FloatArray(192))

                override fun close() = Unit
            }
        }
        assertFailsWith<EngineException.WrongShape> { ExecuTorchEngine(bundle, 2, wrong).run(part(Manifest.DECODER), FloatArray(8)) }
    }

    @Test
    fun `a plain JVM has no ExecuTorch, and says so`() {
        // The real loader against the real classes: whatever their native library throws must not leave the engine untranslated.
        assertFailsWith<EngineException> { ExecuTorchEngine(bundle, 2).load(part(Manifest.DECODER)) }
    }
}

package textedit.engine

import org.pytorch.executorch.ExecutorchRuntimeException
import textedit.core.Bundle
import textedit.core.NetworkRunner
import textedit.core.Part

/**
 * Runs the networks of an android bundle in ExecuTorch: one program per part, loaded when it is first needed and kept until it is
 * released. Encoder and decoder serve all prompts.
 *
 * Calls from several threads wait for each other: the runtime's programs are not to be run at once.
 *
 * @param threads threads of the runtime; the default leaves the small cores of a phone to the system.
 */
class ExecuTorchEngine(
    private val bundle: Bundle,
    private val threads: Int = defaultThreads(),
    private val loader: ProgramLoader = ExecuTorchLoader,
) : NetworkRunner {
    private val programs = mutableMapOf<String, Program>()
    private var closed = false

    init {
        require(bundle.manifest.target == TARGET) { "a bundle of target $TARGET is needed; this one is for ${bundle.manifest.target}" }
        require(threads > 0) { "$threads threads" }
    }

    /** @throws EngineException the program cannot be loaded or run, or does not fit the manifest. */
    @Synchronized
    override fun run(part: Part, input: FloatArray): FloatArray {
        if (input.size != part.input.count) throw EngineException.WrongShape(part.name, part.input.shape, listOf(input.size))
        val program = program(part)
        val output = translated(part, whenRunning = true) { program.forward(FloatTensor(part.input.shape, input)) }
        if (output.shape != part.output.shape) throw EngineException.WrongShape(part.name, part.output.shape, output.shape)
        return output.values
    }

    /** @throws EngineException as [run]. */
    @Synchronized
    override fun load(part: Part) {
        program(part)
    }

    @Synchronized
    override fun release(kept: Set<String>) {
        val dropped = programs.keys - kept
        dropped.forEach { programs.remove(it)?.close() }
    }

    /** Names of the parts whose programs are in memory. */
    val loaded: Set<String> @Synchronized get() = programs.keys.toSet()

    @Synchronized
    override fun close() {
        closed = true
        release(emptySet())
    }

    private fun program(part: Part): Program {
        if (closed) throw EngineException.Closed()
        return programs.getOrPut(part.name) { translated(part, whenRunning = false) { loader.load(bundle.file(part.file), threads) } }
    }

    private inline fun <T> translated(part: Part, whenRunning: Boolean, block: () -> T): T = try {
        block()
    } catch (error: LinkageError) {
        throw EngineException.RuntimeMissing(error)
    } catch (error: OutOfMemoryError) {
        throw EngineException.OutOfMemory(part.name, error)
    } catch (error: ExecutorchRuntimeException) {
        throw when {
            error.errorCode in MEMORY_ERRORS -> EngineException.OutOfMemory(part.name, error)
            else -> failed(part, whenRunning, error)
        }
    } catch (error: IllegalArgumentException) {
        // Also what the runtime throws for an input that the program does not take.
        throw failed(part, whenRunning, error)
    }

    private fun failed(part: Part, whenRunning: Boolean, error: RuntimeException): EngineException =
        if (whenRunning) EngineException.ExecutionFailed(part.name, error) else EngineException.ProgramRefused(part.name, error)

    companion object {
        const val TARGET = "android"

        private val MEMORY_ERRORS = setOf(
            ExecutorchRuntimeException.MEMORY_ALLOCATION_FAILED,
            ExecutorchRuntimeException.DELEGATE_MEMORY_ALLOCATION_FAILED,
            ExecutorchRuntimeException.OUT_OF_RESOURCES,
        )

        /** Half of the cores, at most four: more threads than large cores wait for the small ones. */
        fun defaultThreads(): Int = (Runtime.getRuntime().availableProcessors() / 2).coerceIn(1, 4)
    }
}

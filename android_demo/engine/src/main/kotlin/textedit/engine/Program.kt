package textedit.engine

import java.io.Closeable
import java.io.File
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor

/** Float32 numbers in C order and their shape. */
class FloatTensor(val shape: List<Int>, val values: FloatArray)

/** One loaded program with one input and one output. */
interface Program : Closeable {
    fun forward(input: FloatTensor): FloatTensor
}

/** Loads a program file, to be run with a number of threads. */
fun interface ProgramLoader {
    fun load(file: File, threads: Int): Program
}

/**
 * ExecuTorch's programs. The file is mapped, not read: weights come in as pages when they are used and can be dropped under memory
 * pressure. They are not locked, which would pin all of them.
 */
object ExecuTorchLoader : ProgramLoader {
    override fun load(file: File, threads: Int): Program {
        val module = Module.load(file.path, Module.LOAD_MODE_MMAP, threads)
        try {
            // Otherwise the first edit would pay for setting up the method.
            module.loadMethod(METHOD)
        } catch (error: RuntimeException) {
            module.close()
            throw error
        }
        return ExecuTorchProgram(module)
    }
}

private const val METHOD = "forward"

private class ExecuTorchProgram(private val module: Module) : Program {
    override fun forward(input: FloatTensor): FloatTensor {
        val shape = LongArray(input.shape.size) { input.shape[it].toLong() }
        val output = module.execute(METHOD, EValue.from(Tensor.fromBlob(input.values, shape))).single().toTensor()
        return FloatTensor(output.shape().map(Long::toInt), output.dataAsFloatArray)
    }

    override fun close() = module.close()
}

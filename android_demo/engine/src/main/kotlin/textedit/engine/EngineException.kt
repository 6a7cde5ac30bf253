package textedit.engine

/** Why a network could not be run; each message is one line that names the part. */
sealed class EngineException(message: String, cause: Throwable? = null) : Exception(message, cause) {
    /** ExecuTorch's native library is missing or does not fit this device. */
    class RuntimeMissing(cause: Throwable) :
        EngineException("ExecuTorch cannot be loaded on this device (${cause.message}); it has libraries for arm64-v8a and x86_64", cause)

    /** The runtime refuses the program: another format version, a missing operation or backend. */
    class ProgramRefused(val part: String, cause: Throwable) :
        EngineException("$part: the runtime refuses the program (${cause.message}); the app's ExecuTorch may be too old", cause)

    /** Neither the program nor its buffers fit into memory. */
    class OutOfMemory(val part: String, cause: Throwable) :
        EngineException("$part: not enough memory; close other apps and try again", cause)

    /** The program ran and failed. */
    class ExecutionFailed(val part: String, cause: Throwable) :
        EngineException("$part: the network failed: ${cause.message}", cause)

    /** The input or the answer does not have the shape that the manifest lists. */
    class WrongShape(val part: String, expected: List<Int>, actual: List<Int>) :
        EngineException("$part: expected a tensor of shape $expected, got $actual")

    /** The engine was closed. */
    class Closed : EngineException("the engine was closed; open the bundle again")
}

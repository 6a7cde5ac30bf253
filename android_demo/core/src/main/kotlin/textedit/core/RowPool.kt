package textedit.core

import java.io.Closeable
import java.util.concurrent.Callable
import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors
import java.util.concurrent.ThreadFactory

/** Threads that share the rows of a picture among them. */
internal class RowPool(private val threads: Int) : Closeable {
    // The caller works as well.
    private val executor = if (threads > 1) Executors.newFixedThreadPool(threads - 1, daemons("textedit-rows")) else null

    /** Runs [work] on bands of `0 until rows` that do not overlap, and returns when all are done. */
    fun forEachBand(rows: Int, work: (from: Int, until: Int) -> Unit) {
        val bands = (0 until threads).map { rows * it / threads to rows * (it + 1) / threads }.filter { it.first < it.second }
        if (bands.isEmpty()) return
        val others = bands.drop(1).map { (from, until) -> checkNotNull(executor).submit(Callable { work(from, until) }) }
        bands.first().let { (from, until) -> work(from, until) }
        try {
            others.forEach { it.get() }
        } catch (error: ExecutionException) {
            throw error.cause ?: error
        }
    }

    override fun close() {
        executor?.shutdown()
    }
}

/** Threads that do not keep a process alive. */
internal fun daemons(name: String) = ThreadFactory { run -> Thread(run, name).apply { isDaemon = true } }

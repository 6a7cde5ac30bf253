package textedit.core

import java.time.Instant
import java.time.temporal.ChronoUnit

/** The device as its system names it; `docs/benchmarks.md` says what the fields mean. */
data class Machine(
    val kind: String,
    val emulated: Boolean,
    val model: String,
    val processor: String,
    val cores: Int,
    val system: String,
    val memoryBytes: Long,
)

/** Resident memory of the process and the most that it ever was, in bytes. */
data class MemoryUse(val residentBytes: Long, val peakBytes: Long)

/** What of the device a benchmark reads. */
interface DeviceMeters {
    /** A clock that never goes back, in nanoseconds. */
    fun nanoseconds(): Long

    fun memory(): MemoryUse

    /** Name of the counter behind [memory]. */
    val memoryCounter: String

    /** As the system calls it, null where it does not tell. */
    fun thermalState(): String?

    fun now(): Instant = Instant.now()

    /** A pause before each timed run, in which the threads of the last one come to rest. */
    fun rest() = Thread.sleep(20)
}

/**
 * What to measure.
 *
 * @property threads threads of the runtime, for the record; the runner was made with them.
 * @property rounds timed runs of each measurement, taken in turn.
 * @property warmup untimed rounds before those.
 */
data class BenchmarkSettings(val promptId: String, val threads: Int, val rounds: Int = 30, val warmup: Int = 5) {
    init {
        require(rounds > 0 && warmup >= 0 && threads > 0) { "rounds $rounds, warmup $warmup and threads $threads must be positive" }
    }
}

/** Measures loading, memory and the steps of an edit on this device; the result is a document of `benchmarks/result.schema.json`. */
class DeviceBenchmark(
    private val bundle: Bundle,
    private val runner: NetworkRunner,
    private val machine: Machine,
    private val software: Map<String, String>,
    private val meters: DeviceMeters,
) {
    private val networks = FaceNetworks(bundle, runner)
    private val samples = mutableMapOf<String, MutableList<Double>>()

    /**
     * Runs the benchmark, which takes the runner for itself.
     *
     * @param face a square of the side that the encoder takes.
     * @param progress called with the share that is done, 0 to 1, after each round.
     * @throws BundleException unknown prompt.
     */
    fun run(settings: BenchmarkSettings, face: PixelImage, progress: (Double) -> Unit = {}): Json {
        val begun = meters.now().truncatedTo(ChronoUnit.SECONDS)
        val image = bundle.manifest.pixels.toTensor(face)
        samples.clear()
        val memory = measuredMemory(settings.promptId, image)
        val steps = steps(settings.promptId, face, image)
        repeat(settings.warmup) { steps.forEach { it.run() } }
        repeat(settings.rounds) { round ->
            // Each round begins with another step, so that a change of the device's speed meets all.
            steps.rotated(round).forEach { timed(it.id, it.run) }
            progress((round + 1.0) / settings.rounds)
        }
        repeat(LOADS) { timed("load") { loadAnew(settings.promptId) } }
        return document(settings, begun, memory)
    }

    private class Step(val id: String, val run: () -> Unit)

    private fun steps(promptId: String, face: PixelImage, image: FloatArray): List<Step> {
        val wPlus = networks.encode(image)
        val deltaW = networks.delta(promptId, wPlus)
        val strength = networks.prompt(promptId).strength.default
        val shown = ShownPicture(networks, face, networks.decode(wPlus))
        return listOf(
            Step("encode") { networks.encode(image) },
            Step("edit") { networks.delta(promptId, wPlus) },
            Step("decode") { networks.decode(wPlus) },
            Step("full") { fullEdit(promptId, image) },
            Step("slider") { networks.decode(applyEdit(wPlus, deltaW, strength)) },
            Step("slider_shown") { shown.picture(networks.decode(applyEdit(wPlus, deltaW, strength))) },
        )
    }

    private fun fullEdit(promptId: String, image: FloatArray): FloatArray {
        val wPlus = networks.encode(image)
        val deltaW = networks.delta(promptId, wPlus)
        return networks.decode(applyEdit(wPlus, deltaW, networks.prompt(promptId).strength.default))
    }

    private fun loadAnew(promptId: String) {
        runner.release()
        listOf(Manifest.ENCODER, networks.prompt(promptId).part, Manifest.DECODER).forEach { runner.load(bundle.manifest.part(it)) }
    }

    /** Bytes that loading and one edit take; null where an earlier peak of the process hides them. */
    private fun measuredMemory(promptId: String, image: FloatArray): Long? {
        runner.release()
        val before = meters.memory()
        fullEdit(promptId, image)
        val peak = meters.memory().peakBytes
        return if (peak > before.peakBytes) peak - before.residentBytes else null
    }

    private fun timed(id: String, step: () -> Unit) {
        meters.rest()
        val started = meters.nanoseconds()
        step()
        samples.getOrPut(id) { mutableListOf() } += (meters.nanoseconds() - started) / 1e6
    }

    private fun document(settings: BenchmarkSettings, begun: Instant, memory: Long?): Json {
        val measured = times(settings) + listOfNotNull(memory?.let(::memoryMeasurement))
        val hidden = Json.obj("id" to Json.of("memory"), "reason" to Json.of(HIDDEN_PEAK))
        return Json.obj(
            "schema_version" to Json.of(1),
            "benchmark" to Json.of("device"),
            "taken_at" to Json.of(begun.toString()),
            "machine" to machineFields(),
            "software" to Json.Object(software.mapValues { Json.of(it.value) }),
            "subject" to subjectFields(),
            "settings" to settingsFields(settings),
            "measurements" to Json.Array(measured),
            "absent" to Json.Array(if (memory == null) listOf(hidden) else emptyList()),
        )
    }

    private fun machineFields(): Json {
        val fields = mutableListOf(
            "kind" to Json.of(machine.kind),
            "emulated" to Json.Flag(machine.emulated),
            "model" to Json.of(machine.model),
            "processor" to Json.of(machine.processor),
            "cores" to Json.of(machine.cores),
            "system" to Json.of(machine.system),
            "memory_bytes" to Json.of(machine.memoryBytes),
        )
        meters.thermalState()?.let { fields += "thermal_state" to Json.of(it) }
        return Json.obj(*fields.toTypedArray())
    }

    private fun subjectFields(): Json = bundle.manifest.run {
        Json.obj("model" to Json.of(name), "bundle_target" to Json.of(target), "checkpoint_id" to Json.of(checkpointId))
    }

    private fun settingsFields(settings: BenchmarkSettings): Json = Json.obj(
        "threads" to Json.of(settings.threads),
        "rounds" to Json.of(settings.rounds),
        "warmup" to Json.of(settings.warmup),
        "prompt" to Json.of(settings.promptId),
    )

    private fun times(settings: BenchmarkSettings): List<Json> =
        SERIES.keys.mapNotNull { id -> samples[id]?.let { timeMeasurement(id, settings, it) } }

    private fun timeMeasurement(id: String, settings: BenchmarkSettings, values: List<Double>): Json {
        val editor = networks.prompt(settings.promptId).part
        val part = mapOf("encode" to Manifest.ENCODER, "edit" to editor, "decode" to Manifest.DECODER)[id]
        val labels = part?.let { Json.obj("part" to Json.of(it), "precision" to Json.of(bundle.manifest.part(it).precision)) }
        return measurement(id, if (id == "load") "loading" else "an edit", "ms", values.map { Json.of(it) }, labels)
    }

    private fun memoryMeasurement(bytes: Long): Json =
        measurement("memory", "memory", "bytes", listOf(Json.of(bytes)), Json.obj("counter" to Json.of(meters.memoryCounter)))

    private fun measurement(id: String, group: String, unit: String, values: List<Json>, labels: Json?): Json = Json.Object(
        listOfNotNull(
            "id" to Json.of(id),
            "group" to Json.of(group),
            "series" to Json.of(SERIES.getValue(id)),
            "unit" to Json.of(unit),
            "samples" to Json.Array(values),
            labels?.let { "labels" to it },
        ).toMap(),
    )

    private companion object {
        // Loading is slow and varies little: the file stays in the system's cache after the first time.
        const val LOADS = 5
        const val HIDDEN_PEAK = "the process had used more memory before; start the app anew and measure first"
        val SERIES = linkedMapOf(
            "encode" to "encode",
            "edit" to "edit",
            "decode" to "decode",
            "full" to "full edit",
            "slider" to "slider",
            "slider_shown" to "slider to shown picture",
            "load" to "three networks",
            "memory" to "loading and an edit",
        )
    }
}

/**
 * What `slider_shown` makes: a picture of the screen's size with a face of 700 pixels, on one thread.
 *
 * @param before the decode without an edit.
 */
private class ShownPicture(private val networks: FaceNetworks, face: PixelImage, before: FloatArray) {
    private val rows = RowPool(threads = 1)
    private val photo = PixelImage(WIDTH, HEIGHT, IntArray(WIDTH * HEIGHT) { opaque(it and 0xFF, it shr 4 and 0xFF, it shr 8 and 0xFF) })
    private val crop = CropTransform(Point((WIDTH - FACE_SIDE) / 2, (HEIGHT - FACE_SIDE) / 2), Point(FACE_SIDE, 0.0))
    private val guides = networks.guideSide?.let { Guides(it, networks.pixels, face, before) }
    private val pasting = if (guides == null) FacePasting(photo, crop, networks.pixels.toImage(before), rows) else null

    /** The photo with the face that was decoded as [after]. */
    fun picture(after: FloatArray): PixelImage {
        if (guides == null) return checkNotNull(pasting).paste(networks.pixels.toImage(after), keepDetail = true)
        return Composition(photo, guides.overlay(networks.composite(guides.with(after)), after), crop).picture(rows)
    }

    private companion object {
        const val WIDTH = 1280
        const val HEIGHT = 960
        const val FACE_SIDE = 700.0
    }
}

private fun <T> List<T>.rotated(by: Int): List<T> = drop(by % size) + take(by % size)

/** The [Spread] of each measurement of a benchmark's document, by id. */
fun spreads(document: Json): Map<String, Spread> {
    val measurements = ((document as Json.Object).fields.getValue("measurements") as Json.Array).items.map { (it as Json.Object).fields }
    return measurements.associate { fields ->
        val values = (fields.getValue("samples") as Json.Array).items.map { (it as Json.Number).literal.toDouble() }
        (fields.getValue("id") as Json.Text).value to Spread.of(values)
    }
}

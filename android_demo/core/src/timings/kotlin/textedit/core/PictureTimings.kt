package textedit.core

import java.io.File
import java.io.InputStream
import java.lang.management.ManagementFactory
import java.lang.management.MemoryType
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.math.abs
import kotlin.math.max
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking

/**
 * Times the picture path on a JVM and prints one JSON document; `python -m benchmarks apps` runs it.
 *
 * `plain ROUNDS` and `tuned ROUNDS` paste a face into a picture of the screen's size, `composed ROUNDS` draws an edit on that and on a photo
 * of 12 megapixels, `drag` moves a slider for two seconds, `photo FILE` writes a photo of 48 megapixels, and `save FILE OUT` edits it.
 */
fun main(arguments: Array<String>) {
    val result = when (arguments[0]) {
        "plain" -> pasteTimes(arguments[1].toInt()) { scene -> { pasteBack(scene.photo, scene.edited, scene.crop, scene.reconstruction) } }
        "tuned" -> pasteTimes(arguments[1].toInt(), ::tunedPaste)
        "composed" -> composeTimes(arguments[1].toInt())
        "drag" -> drag()
        "photo" -> writePhoto(File(arguments[1]))
        "save" -> save(File(arguments[1]), File(arguments[2]))
        else -> error("unknown: ${arguments[0]}")
    }
    println(result.render())
}

private class Scene(side: Int) {
    val photo = picture(WIDTH, HEIGHT, seed = 1)
    val edited = picture(FACE, FACE, seed = 2)
    val reconstruction = picture(FACE, FACE, seed = 3)
    val crop = cropAround(WIDTH / 2.0, HEIGHT / 2.0, side.toDouble())
}

private fun tunedPaste(scene: Scene): () -> Any {
    val pasting = FacePasting(scene.photo, scene.crop, scene.reconstruction, RowPool(threads = 1))
    return { pasting.paste(scene.edited, keepDetail = true) }
}

private fun pasteTimes(rounds: Int, prepare: (Scene) -> () -> Any): Json =
    Json.obj(*SIDES.map { side -> "paste_$side" to times(rounds, prepare(Scene(side))) }.toTypedArray())

/** The same pictures and faces as those of pasting, and a face of 2000 pixels in a photo of 12 megapixels. */
private fun composeTimes(rounds: Int): Json {
    val overlay = overlay()
    val onScreen = SIDES.map { side ->
        val scene = Scene(side)
        "compose_$side" to composition(scene.photo, overlay, scene.crop)
    }
    val (width, height) = 4000 to 3000
    val large = "compose_12mp" to composition(picture(width, height, seed = 1), overlay, cropAround(width / 2.0, height / 2.0, side = 2000.0))
    return Json.obj(*(onScreen + large).map { (id, compose) -> id to times(rounds, compose) }.toTypedArray())
}

private fun composition(photo: PixelImage, overlay: Overlay, crop: CropTransform): () -> Any {
    val rows = RowPool(threads = 1)
    return { Composition(photo, overlay, crop).picture(rows) }
}

/** Moves four fifths of the side of the crop and paints a quarter of it. */
private fun overlay(): Overlay {
    val (side, plane) = GUIDE to GUIDE * GUIDE
    val fields = FloatArray(8 * plane) { at ->
        val reach = max(abs(at % side + 0.5 - side / 2), abs(at % plane / side + 0.5 - side / 2)) / side
        when (at / plane) {
            0, 1 -> if (reach < 0.4) 0.2f else 0f
            2 -> if (reach < 0.135) 0.7f else 0f
            else -> 0.5f
        }
    }
    val pixels = PixelSpec(FACE, -1f, 1f)
    val decode = pixels.toTensor(picture(FACE, FACE, seed = 2))
    return Guides(side, pixels, picture(FACE, FACE, seed = 1), decode).overlay(fields, decode)
}

/** Milliseconds of this thread's processor time, so that a busy machine counts less. */
private fun times(rounds: Int, work: () -> Any): Json {
    val clock = ManagementFactory.getThreadMXBean()
    repeat(WARM_UP) { work() }
    return Json.Array(
        List(rounds) {
            val started = clock.currentThreadCpuTime
            work()
            Json.of((clock.currentThreadCpuTime - started) / 1e6)
        },
    )
}

/** The editor itself with networks that take the time of a phone's: 60 moves a second for two seconds. */
private fun drag(): Json = runBlocking {
    val bundle = TinyBundle.openIn(createTempFolder())
    val runner = ArithmeticRunner { part -> if (part.name == Manifest.DECODER) Thread.sleep(DECODE_MS) }
    val photo = picture(WIDTH, HEIGHT, seed = 1)
    FaceEditor.open(bundle, runner, { emptyList() }, EditorOptions(threads = 1)).use { editor ->
        val opened = editor.photo(WholePhoto(photo))
        opened.choose(PhotoPart(WIDTH / 2 - 400, HEIGHT / 2 - 400, WIDTH / 2 + 400, HEIGHT / 2 + 400))
        repeat(WARM_UP) { opened.edit(listOf(Edit("smile", it / 100f + 0.01f))).first() }
        val shown = CopyOnWriteArrayList<Float>()
        val collecting = launch(Dispatchers.Default) { opened.previews.collect { shown += it.step.edits.single().strength } }
        val started = System.nanoTime()
        for (move in 1..MOVES) {
            opened.edit(listOf(Edit("smile", 0.2f + move / 100f)), moving = true)
            delay((started - System.nanoTime()) / 1_000_000 + move * 1000L / MOVES_PER_SECOND)
        }
        val seconds = (System.nanoTime() - started) / 1e9
        val during = shown.size
        val last = opened.previews.first { it.step.edits.single().strength == 0.2f + MOVES / 100f }
        delay(SETTLED_MS)
        collecting.cancel()
        Json.obj(
            "pictures_per_second" to Json.of(during / seconds),
            "in_order" to Json.Flag(shown == shown.sorted()),
            "last_is_last" to Json.Flag(shown.last() == last.step.edits.single().strength),
        )
    }
}

private fun writePhoto(file: File): Json {
    file.writeBytes(TestPhotos.jpeg(picture(PHOTO_WIDTH, PHOTO_HEIGHT, seed = 4)))
    return Json.obj("width" to Json.of(PHOTO_WIDTH), "height" to Json.of(PHOTO_HEIGHT))
}

private fun save(file: File, target: File): Json {
    val source = object : PhotoSource by WholePhoto(PixelImage(1, 1, IntArray(1))) {
        override fun open(): InputStream = file.inputStream()
    }
    val crop = cropAround(PHOTO_WIDTH / 2.0, PHOTO_HEIGHT / 2.0, side = 3000.0)
    val started = System.nanoTime()
    val saved = PhotoWriter(source).write(target, PastedFace(crop, picture(FACE, FACE, seed = 2), picture(FACE, FACE, seed = 3)))
    check(saved.losses.isEmpty()) { "the photo was not edited in place" }
    val heap = ManagementFactory.getMemoryPoolMXBeans().filter { it.type == MemoryType.HEAP }
    return Json.obj("seconds" to Json.of((System.nanoTime() - started) / 1e9), "peak_bytes" to Json.of(heap.sumOf { it.peakUsage.used }))
}

/** A photo that is read whole; nothing here asks for its file. */
private class WholePhoto(private val picture: PixelImage) : PhotoSource {
    override val width get() = picture.width
    override val height get() = picture.height

    override fun pixels(part: PhotoPart, longerSide: Int) =
        if (part.width == width && part.height == height) picture else picture.cropped(Box(part.left, part.top, part.right, part.bottom))

    override fun open(): InputStream = error("nothing is saved here")

    override fun encode(target: File, changed: (PhotoPart, PixelImage) -> PixelImage): Set<Loss> = error("nothing is saved here")
}

/** Smooth colours, cheap to make at any size. */
private fun picture(width: Int, height: Int, seed: Int) = PixelImage(width, height, IntArray(width * height) { at ->
    val x = at % width * 6.0 / width + seed
    val y = at / width * 5.0 / height + seed * seed
    opaque(level(x + y), level(x - 2 * y), level(2 * x + y))
})

private fun level(wave: Double): Int = (127 + 120 * kotlin.math.sin(wave)).toInt()

private fun cropAround(x: Double, y: Double, side: Double): CropTransform {
    val axis = Point(side * kotlin.math.cos(TURN), side * kotlin.math.sin(TURN))
    return CropTransform(Point(x, y) - axis * 0.5 - axis.turned() * 0.5, axis)
}

private fun createTempFolder(): File = java.nio.file.Files.createTempDirectory("textedit").toFile()

private const val WIDTH = 1280
private const val HEIGHT = 960
private const val FACE = 256
private const val GUIDE = 128
private const val PHOTO_WIDTH = 8000
private const val PHOTO_HEIGHT = 6000
private const val TURN = 0.1
private const val WARM_UP = 8
private const val DECODE_MS = 10L
private const val MOVES = 120
private const val MOVES_PER_SECOND = 60
private const val SETTLED_MS = 300L
private val SIDES = listOf(400, 800, 1100)

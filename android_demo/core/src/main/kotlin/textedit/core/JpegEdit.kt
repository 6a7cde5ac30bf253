package textedit.core

import java.io.ByteArrayOutputStream

/**
 * Edits a JPEG in its own blocks: those under the face change, everything else, outside and inside the picture, stays byte for byte what it
 * was or decodes to the same. Memory does not grow with the picture.
 *
 * Takes baseline pictures of one interleaved scan, which is what cameras write.
 */
internal class JpegEdit(private val input: JpegInput, private val output: JpegOutput, private val change: FaceChange) {
    private class Component(val id: Int, val across: Int, val down: Int, val table: Int) {
        var dc = 0
        var ac = 0
        var lastRead = 0
        var lastWritten = 0
    }

    private class Frame(val width: Int, val height: Int, val components: List<Component>)

    private val steps = arrayOfNulls<IntArray>(4)
    private val dcTables = arrayOfNulls<JpegHuffman>(4)
    private val acTables = arrayOfNulls<JpegHuffman>(4)
    private val block = JpegBlock()
    private val gains = FloatArray(JpegBlock.SIZE)
    private var frame: Frame? = null
    private var restartInterval = 0
    private var orientation = 1
    private var pictures: Pair<Long, MultiPictureSegment>? = null

    /** @throws JpegUnsupported it is no such picture; what was written so far is of no use. */
    fun run() {
        if (input.short() != 0xFF00 + START) throw JpegUnsupported("it is none")
        output.marker(START)
        while (true) {
            val marker = input.marker()
            if (marker == SCAN) break
            copySegment(marker, input.bytes(input.short() - 2))
        }
        scan()
        if (input.marker() != END) throw JpegUnsupported("more than one scan")
        output.marker(END)
        pictures?.let { (position, list) ->
            list.shift(output.position - input.position)
            output.replace(position, list.content)
        }
        generateSequence { input.byteOrEnd().takeIf { it >= 0 } }.forEach(output::byte)
    }

    private fun copySegment(marker: Int, content: ByteArray) {
        when (marker) {
            // The tables are replaced by those that have all codes.
            HUFFMAN -> return readHuffman(content)
            QUANTISATION -> readSteps(content)
            RESTARTS -> restartInterval = content.short(0)
            FRAME, FRAME + 1 -> frame = readFrame(content)
            in FRAMES - setOf(HUFFMAN, ARITHMETIC_RESERVED) -> throw JpegUnsupported("it is progressive, lossless or arithmetic")
            APP14 -> if (isAdobeWithoutTransform(content)) throw JpegUnsupported("it is not YCbCr")
            APP1 -> if (ExifSegment.matches(content)) ExifSegment(content).run {
                this@JpegEdit.orientation = orientation
                removeThumbnail()
            }
            APP2 -> if (MultiPictureSegment.matches(content)) pictures = output.position + 4 to MultiPictureSegment(content)
        }
        output.segment(marker, content)
    }

    private fun readHuffman(content: ByteArray) {
        var at = 0
        while (at + 17 <= content.size) {
            val counts = IntArray(16) { content.byte(at + 1 + it) }
            val symbols = IntArray(counts.sum()) { content.byte(at + 17 + it) }
            val id = content.byte(at) and 0xF
            (if (content.byte(at) shr 4 == 0) dcTables else acTables)[id and 3] = JpegHuffman(counts, symbols)
            at += 17 + symbols.size
        }
    }

    private fun readSteps(content: ByteArray) {
        var at = 0
        while (at < content.size) {
            val wide = content.byte(at) shr 4 != 0
            val start = at + 1
            val table = IntArray(JpegBlock.SIZE) { if (wide) content.short(start + 2 * it) else content.byte(start + it) }
            steps[content.byte(at) and 3] = table
            at = start + JpegBlock.SIZE * if (wide) 2 else 1
        }
    }

    private fun readFrame(content: ByteArray): Frame {
        if (content.byte(0) != 8) throw JpegUnsupported("more than 8 bits a pixel")
        val components = List(content.byte(5)) { at ->
            val (id, sampling, table) = List(3) { content.byte(6 + 3 * at + it) }
            Component(id, sampling shr 4, sampling and 0xF, table and 3)
        }
        if (components.size != 1 && components.size != 3) throw JpegUnsupported("${components.size} components")
        return Frame(content.short(3), content.short(1), components)
    }

    private fun scan() {
        val frame = frame ?: throw JpegUnsupported("no frame")
        val header = input.bytes(input.short() - 2)
        if (header.byte(0) != frame.components.size) throw JpegUnsupported("components one after the other")
        frame.components.forEachIndexed { at, component ->
            if (header.byte(1 + 2 * at) != component.id) throw JpegUnsupported("components in another order")
            component.dc = header.byte(2 + 2 * at) shr 4 and 3
            component.ac = header.byte(2 + 2 * at) and 3
        }
        writeTables(frame, header)
        val (widest, highest) = frame.components.maxOf { it.across } to frame.components.maxOf { it.down }
        val samplings = frame.components.map { Sampling(widest.toDouble() / it.across, highest.toDouble() / it.down) }
        val edit = change.inJpeg(uprightMapping(orientation, frame.width, frame.height), samplings)
        // A single component is stored block by block, however it is sampled.
        val single = frame.components.size == 1
        val (unitWidth, unitHeight) = if (single) 8 to 8 else 8 * widest to 8 * highest
        copyUnits(frame, edit, ceilDiv(frame.width, unitWidth), ceilDiv(frame.height, unitHeight), single)
        input.endOfBits()
        output.endOfBits()
    }

    private fun writeTables(frame: Frame, header: ByteArray) {
        val tables = ByteArrayOutputStream()
        for (id in 0..1) {
            JpegHuffman.DC[id].writeTo(tables, kind = 0, id)
            JpegHuffman.AC[id].writeTo(tables, kind = 1, id)
        }
        output.segment(HUFFMAN, tables.toByteArray())
        for (at in frame.components.indices) header[2 + 2 * at] = if (at == 0) 0x00 else 0x11
        output.segment(SCAN, header)
    }

    private fun copyUnits(frame: Frame, edit: JpegChange, columns: Int, rows: Int, single: Boolean) {
        for (unit in 0 until columns * rows) {
            if (restartInterval > 0 && unit > 0 && unit % restartInterval == 0) restart(frame, unit / restartInterval - 1)
            for ((index, component) in frame.components.withIndex()) {
                val (across, down) = if (single) 1 to 1 else component.across to component.down
                for (at in 0 until across * down) {
                    val x = JpegBlock.SIDE * (unit % columns * across + at % across)
                    val y = JpegBlock.SIDE * (unit / columns * down + at / across)
                    copyBlock(index, component, edit, x, y)
                }
            }
        }
    }

    private fun copyBlock(index: Int, component: Component, edit: JpegChange, x: Int, y: Int) {
        val (dc, ac) = dcTables[component.dc] to acTables[component.ac]
        val steps = steps[component.table]
        if (dc == null || ac == null || steps == null) throw JpegUnsupported("a table is missing")
        block.read(input, dc, ac, component.lastRead)
        component.lastRead = block.coefficients[0]
        if (edit.touches(index, x, y)) {
            edit.gains(index, x, y, { block.levels(steps) }, gains)
            if (gains.any { it != 0f }) block.add(gains, steps)
        }
        val kind = if (index == 0) 0 else 1
        block.write(output, JpegHuffman.DC[kind], JpegHuffman.AC[kind], component.lastWritten)
        component.lastWritten = block.coefficients[0]
    }

    private fun restart(frame: Frame, number: Int) {
        input.endOfBits()
        output.endOfBits()
        if (input.marker() !in RESTART..RESTART + 7) throw JpegUnsupported("a restart is missing")
        output.marker(RESTART + number % 8)
        for (component in frame.components) {
            component.lastRead = 0
            component.lastWritten = 0
        }
    }

    private companion object {
        const val START = 0xD8
        const val END = 0xD9
        const val SCAN = 0xDA
        const val QUANTISATION = 0xDB
        const val RESTARTS = 0xDD
        const val HUFFMAN = 0xC4
        const val ARITHMETIC_RESERVED = 0xC8
        const val FRAME = 0xC0
        const val RESTART = 0xD0
        const val APP1 = 0xE1
        const val APP2 = 0xE2
        const val APP14 = 0xEE
        val FRAMES = FRAME..0xCF

        fun isAdobeWithoutTransform(content: ByteArray) =
            content.size >= 12 && content[11].toInt() == 0 && String(content, 0, 5, Charsets.ISO_8859_1) == "Adobe"

        fun ceilDiv(size: Int, by: Int) = (size + by - 1) / by

        fun ByteArray.byte(at: Int): Int = getOrNull(at)?.let { it.toInt() and 0xFF } ?: throw JpegUnsupported("a segment ends early")

        fun ByteArray.short(at: Int): Int = byte(at) shl 8 or byte(at + 1)
    }
}

package textedit.demo

import android.content.ContentResolver
import android.content.ContentValues
import android.content.Context
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.ColorSpace
import android.graphics.ImageDecoder
import android.graphics.Matrix
import android.net.Uri
import android.os.Build
import android.os.Environment
import android.provider.MediaStore
import androidx.annotation.RequiresApi
import androidx.core.content.FileProvider
import androidx.exifinterface.media.ExifInterface
import java.io.File
import java.io.IOException
import kotlin.math.max
import kotlin.math.min
import kotlin.math.roundToInt
import textedit.core.PixelImage

/** The longest side that is edited, in pixels; a larger photo is scaled down. Pasting holds up to five pictures of 4 bytes a pixel. */
const val MAX_PHOTO_SIDE = 3072

private const val JPEG_QUALITY = 95

fun Bitmap.toPixelImage(): PixelImage {
    val argb = IntArray(width * height)
    getPixels(argb, 0, width, 0, 0, width, height)
    return PixelImage(width, height, argb)
}

fun PixelImage.toBitmap(): Bitmap = Bitmap.createBitmap(argb, width, height, Bitmap.Config.ARGB_8888)

/** Decodes a golden input as it is stored, without scaling to the screen's density. */
fun readPng(file: File): PixelImage {
    val options = BitmapFactory.Options().apply {
        inScaled = false
        inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
    }
    return (BitmapFactory.decodeFile(file.path, options) ?: throw IOException("${file.name} is not a readable PNG")).toPixelImage()
}

/**
 * Decodes a photo upright, in sRGB, with no side above [MAX_PHOTO_SIDE]; what is transparent in it is laid over white.
 *
 * @throws IOException it cannot be read or is no picture.
 */
fun ContentResolver.readPhoto(uri: Uri): Bitmap {
    val photo = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) decodePhoto(uri) else decodePhotoBeforePie(uri)
    return if (photo.hasAlpha()) photo.overWhite() else photo
}

private fun Bitmap.overWhite(): Bitmap {
    val opaque = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
    Canvas(opaque).apply {
        drawColor(Color.WHITE)
        drawBitmap(this@overWhite, 0f, 0f, null)
    }
    return opaque
}

@RequiresApi(Build.VERSION_CODES.P)
private fun ContentResolver.decodePhoto(uri: Uri): Bitmap {
    val source = ImageDecoder.createSource(this, uri)
    return ImageDecoder.decodeBitmap(source) { decoder, info, _ ->
        val scale = min(1f, MAX_PHOTO_SIDE.toFloat() / max(info.size.width, info.size.height))
        decoder.setTargetSize(max(1, (info.size.width * scale).toInt()), max(1, (info.size.height * scale).toInt()))
        decoder.setTargetColorSpace(ColorSpace.get(ColorSpace.Named.SRGB))
        // Pixels are read back, which a hardware bitmap does not allow.
        decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
    }
}

private fun ContentResolver.decodePhotoBeforePie(uri: Uri): Bitmap {
    val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
    openStream(uri).use { BitmapFactory.decodeStream(it, null, bounds) }
    val options = BitmapFactory.Options().apply {
        inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
        inSampleSize = generateSequence(1) { it * 2 }.first { max(bounds.outWidth, bounds.outHeight) / it <= MAX_PHOTO_SIDE }
    }
    val stored = openStream(uri).use { BitmapFactory.decodeStream(it, null, options) } ?: throw IOException("$uri is not a picture")
    val upright = openStream(uri).use { uprightMatrix(ExifInterface(it)) }
    return Bitmap.createBitmap(stored, 0, 0, stored.width, stored.height, upright, true)
}

private fun ContentResolver.openStream(uri: Uri) = openInputStream(uri) ?: throw IOException("$uri cannot be opened")

private fun uprightMatrix(exif: ExifInterface) = Matrix().apply {
    if (exif.isFlipped) postScale(-1f, 1f)
    postRotate(exif.rotationDegrees.toFloat())
}

/** A copy whose longest side is at most [side]; this bitmap itself where it is small enough. */
fun Bitmap.fittedTo(side: Int): Bitmap {
    val scale = side.toDouble() / max(width, height)
    if (scale >= 1) return this
    return Bitmap.createScaledBitmap(this, max(1, (width * scale).roundToInt()), max(1, (height * scale).roundToInt()), true)
}

/**
 * Adds a picture to the album. It is pending, and so invisible to others, until all of it is written; a failure leaves nothing behind.
 *
 * @throws IOException the album does not take it.
 */
@RequiresApi(Build.VERSION_CODES.Q)
fun ContentResolver.saveToAlbum(picture: Bitmap, name: String): Uri {
    val pending = ContentValues().apply {
        put(MediaStore.Images.Media.DISPLAY_NAME, "$name.jpg")
        put(MediaStore.Images.Media.MIME_TYPE, "image/jpeg")
        put(MediaStore.Images.Media.RELATIVE_PATH, Environment.DIRECTORY_PICTURES)
        put(MediaStore.Images.Media.IS_PENDING, 1)
    }
    val collection = MediaStore.Images.Media.getContentUri(MediaStore.VOLUME_EXTERNAL_PRIMARY)
    val uri = insert(collection, pending) ?: throw IOException("the album takes no picture")
    try {
        writeJpeg(picture, uri)
        update(uri, ContentValues().apply { put(MediaStore.Images.Media.IS_PENDING, 0) }, null, null)
    } catch (error: IOException) {
        delete(uri, null, null)
        throw error
    }
    return uri
}

/** @throws IOException the document cannot be written. */
fun ContentResolver.writeJpeg(picture: Bitmap, uri: Uri) {
    val stream = openOutputStream(uri) ?: throw IOException("$uri cannot be written")
    stream.use { if (!picture.compress(Bitmap.CompressFormat.JPEG, JPEG_QUALITY, it)) throw IOException("the picture cannot be written") }
}

/** A link to a copy in the cache, which the app that it is shared with may read. */
fun Context.shareableCopy(picture: Bitmap): Uri {
    val file = File(cacheDir, "shared/edited.jpg").apply { parentFile?.mkdirs() }
    file.outputStream().use { picture.compress(Bitmap.CompressFormat.JPEG, JPEG_QUALITY, it) }
    return FileProvider.getUriForFile(this, "$packageName.files", file)
}

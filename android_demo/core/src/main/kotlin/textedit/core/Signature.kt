package textedit.core

import java.security.GeneralSecurityException
import java.security.KeyFactory
import java.security.PublicKey
import java.security.Signature
import java.security.interfaces.ECPublicKey
import java.security.spec.X509EncodedKeySpec
import java.util.Base64

/**
 * Verifies an ECDSA signature on P-256 with SHA-256, in DER, against a base64 DER SubjectPublicKeyInfo.
 *
 * @throws BundleException the key is not on P-256, or the signature is not of these bytes by this key.
 */
internal fun checkSignature(publicKey: String, message: ByteArray, signature: ByteArray) {
    val key = readPublicKey(publicKey)
    val valid = try {
        Signature.getInstance("SHA256withECDSA").run {
            initVerify(key)
            update(message)
            verify(signature)
        }
    } catch (_: GeneralSecurityException) {
        // Bytes that are no DER signature throw, where those of another signature return false.
        false
    }
    if (!valid) {
        throw BundleException("${Manifest.SIGNATURE_FILE} is not a signature of ${Manifest.FILE} by its key; it was changed since")
    }
}

private fun readPublicKey(base64: String): PublicKey {
    val key = try {
        KeyFactory.getInstance("EC").generatePublic(X509EncodedKeySpec(Base64.getDecoder().decode(base64)))
    } catch (error: GeneralSecurityException) {
        throw BundleException("${Manifest.SIGNATURE_FILE}: the public key cannot be read: ${error.message}", error)
    } catch (error: IllegalArgumentException) {
        throw BundleException("${Manifest.SIGNATURE_FILE}: the public key is not base64", error)
    }
    if (key !is ECPublicKey || key.params.order != P256_ORDER) {
        throw BundleException("${Manifest.SIGNATURE_FILE}: the public key is not an EC key on P-256")
    }
    return key
}

/** Order of the curve's group, which no other named curve shares (NIST SP 800-186, 3.2.1.3). */
private val P256_ORDER = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551".toBigInteger(16)

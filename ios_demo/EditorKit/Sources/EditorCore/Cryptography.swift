import Foundation

#if canImport(CryptoKit)
    import CryptoKit
#else
    import COpenSSL
#endif

/// SHA-256 of data and files, in lower-case hex.
enum Digest {
    private static let blockSize = 1 << 20

    static func sha256(_ data: Data) -> String {
        let hash = RunningHash()
        hash.update(data)
        return hash.hex()
    }

    static func sha256(fileAt url: URL) throws(BundleError) -> String {
        do {
            let handle = try FileHandle(forReadingFrom: url)
            defer { try? handle.close() }
            let hash = RunningHash()
            while let block = try handle.read(upToCount: blockSize), !block.isEmpty {
                hash.update(block)
            }
            return hash.hex()
        } catch {
            throw BundleError(.system, "cannot read \(url.lastPathComponent): \(error.localizedDescription)")
        }
    }
}

/// ECDSA on P-256 with SHA-256.
enum Signature {
    /// Whether a DER signature of a message is by a key.
    ///
    /// - Parameters:
    ///   - publicKey: base64 of the DER SubjectPublicKeyInfo.
    ///   - source: the name used in errors.
    /// - Throws: the key is not base64, not DER or not on P-256.
    static func isValid(
        _ signature: Data, of message: Data, by publicKey: String, source: String
    ) throws(BundleError) -> Bool {
        guard let key = Data(base64Encoded: publicKey) else {
            throw BundleError(.signature, "\(source): the public key cannot be read: it is not base64")
        }
        guard let valid = verify(signature, of: message, byKeyInDER: key) else {
            throw BundleError(.signature, "\(source): the public key is not an EC key on P-256")
        }
        return valid
    }
}

#if canImport(CryptoKit)
    private final class RunningHash {
        private var hash = SHA256()

        func update(_ data: Data) { hash.update(data: data) }

        func hex() -> String { hexadecimal(hash.finalize()) }
    }

    /// Whether the signature is valid, or nil for a key that is none.
    private func verify(_ signature: Data, of message: Data, byKeyInDER key: Data) -> Bool? {
        guard let key = try? P256.Signing.PublicKey(derRepresentation: key) else { return nil }
        guard let signature = try? P256.Signing.ECDSASignature(derRepresentation: signature) else { return false }
        return key.isValidSignature(signature, for: message)
    }
#else
    private final class RunningHash {
        private let context = EVP_MD_CTX_new()

        init() { EVP_DigestInit_ex(context, EVP_sha256(), nil) }

        deinit { EVP_MD_CTX_free(context) }

        func update(_ data: Data) {
            data.withUnsafeBytes { _ = EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
        }

        func hex() -> String {
            var digest = [UInt8](repeating: 0, count: 32)
            EVP_DigestFinal_ex(context, &digest, nil)
            return hexadecimal(digest)
        }
    }

    /// Whether the signature is valid, or nil for a key that is none.
    private func verify(_ signature: Data, of message: Data, byKeyInDER der: Data) -> Bool? {
        guard let key = publicKey(fromDER: der) else { return nil }
        defer { EVP_PKEY_free(key) }
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1 else { return nil }
        let (signature, message) = ([UInt8](signature), [UInt8](message))
        return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    private func publicKey(fromDER der: Data) -> OpaquePointer? {
        let bytes = [UInt8](der)
        return bytes.withUnsafeBufferPointer { buffer in
            var position = buffer.baseAddress
            guard let key = d2i_PUBKEY(nil, &position, buffer.count) else { return nil }
            var curve = [CChar](repeating: 0, count: 32)
            let named = EVP_PKEY_get_group_name(key, &curve, curve.count, nil) == 1
            let isWhole = position == buffer.baseAddress.map { $0 + buffer.count }
            if named && isWhole && curve.starts(with: Array("prime256v1".utf8CString)) { return key }
            EVP_PKEY_free(key)
            return nil
        }
    }
#endif

private func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { byte in
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }.joined()
}

import SwiftUI
import UIKit

/// Time to finish what was begun when the user leaves the app.
@MainActor
enum BackgroundTime {
    static func during<Value: Sendable>(_ work: @MainActor () async throws -> Value) async rethrows -> Value {
        let task = UIApplication.shared.beginBackgroundTask()
        defer { UIApplication.shared.endBackgroundTask(task) }
        return try await work()
    }
}

/// What VoiceOver says.
@MainActor
enum Announcement {
    static func say(_ text: String) {
        AccessibilityNotification.Announcement(text).post()
    }
}

import SwiftUI

extension View {
    /// Shows what went wrong until the user has read it.
    func problemAlert(_ problem: Binding<String?>) -> some View {
        let isPresented = Binding {
            problem.wrappedValue != nil
        } set: { isPresented in
            if !isPresented { problem.wrappedValue = nil }
        }
        return alert("Something went wrong", isPresented: isPresented, presenting: problem.wrappedValue) { _ in
            Button("OK") {}
        } message: {
            Text($0)
        }
    }
}

package import PrivateDatabase

/// Runs a test with a PostgreSQL of its own, which goes at the end.
package func withPrivatePostgres(
    settings: [String: String] = [:], _ body: (PrivatePostgres) async throws -> Void
) async throws {
    let postgres = try await PrivatePostgres(in: temporaryPath(), settings: settings)
    do {
        try await body(postgres)
    } catch {
        await postgres.remove()
        throw error
    }
    await postgres.remove()
}

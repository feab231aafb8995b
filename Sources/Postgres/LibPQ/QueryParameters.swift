/// The parameters of one run of a statement.
protocol QueryParameters {
    /// Calls `body` with the parameters as libpq takes them: their number, and a pointer to each one's text, which ends
    /// with a zero byte. The pointers hold for the call only; libpq copies what they point to.
    func withParameters<Result>(_ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?) -> Result) -> Result
}

import Postgres

/// A connection that tells what changes in the database. Everything here happens on the stream's loop.
protocol ChangeSource: AnyObject {
    /// Makes a connection and subscribes; the owner is told ``ChangeSourceOwner/opened()`` or
    /// ``ChangeSourceOwner/lost(_:)``. To be called while there is no connection.
    func connect()
    /// Other groups depend on tables from now on. When `isKnown` is false there are rules among theirs that were not there before;
    /// then the owner is told ``ChangeSourceOwner/adopted()`` when all that concerns them is told of, or that the connection is
    /// lost. The next connections are made by these settings, those of the stream's and of the loads' server.
    func adopt(_ map: InvalidationMap, isKnown: Bool, stream: DatabaseSettings, loads: DatabaseSettings)
    /// Has the server give a sign of life, after all that it said before. Does nothing while another is under way.
    func beat()
    /// Closes the connection, if there is one, or lets go of the one that is being made. The owner is told nothing more of it.
    func close()
}

/// Who hears what a ``ChangeSource`` tells. Each call may close the source.
protocol ChangeSourceOwner: AnyObject {
    /// The attempt under way waits for something that may take long; the reason is for the operator.
    func waits(_ reason: String)
    /// There is a connection, and it is subscribed.
    func opened()
    /// The connection has shown that it hears what is said.
    func proven()
    /// Something came.
    func heard()
    /// Rows changed, in transactions whose commits the loads see by now.
    func changed(_ change: TableChange)
    /// Something changed, and it can't be read what: triggers of another version say it, perhaps.
    func misread()
    /// Something came that is no change.
    func misheard()
    /// All that committed up to a position was told.
    func told(upTo position: LogPosition)
    /// How far it is behind the log's end, in bytes, and how many transactions it has heard of that loads don't see yet.
    func lags(by bytes: UInt64, holding transactions: Int)
    /// What ``ChangeSource/beat()`` asked for came.
    func beatAnswered()
    /// The changes that these groups depend on can't be followed, and why, by their names: they store nothing until a later
    /// call leaves them out. Told before each time the stream is proven, by sources that can tell.
    func refused(_ groups: [String: String])
    /// What ``ChangeSource/adopt(_:isKnown:)`` brought has been looked at; ``refused(_:)`` was told before.
    func adopted()
    /// The connection, or the attempt to make one, is lost, for a reason that the operator may read.
    func lost(_ reason: String)
}
